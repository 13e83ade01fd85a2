package report

import (
	"fmt"
	"io"

	"pubsub/bench/scenario"
)

// WriteResult writes one result for a person.
func WriteResult(w io.Writer, r scenario.Result) {
	fmt.Fprintln(w, r.Scenario.Name())
	for _, m := range Metrics(r.Scenario) {
		if m.CPU && !r.Measured {
			continue // its process is not known
		}
		fmt.Fprintf(w, "  %-24s %s\n", m.Name, m.Format(m.Of(r)))
	}
	if r.Outcome.Got > 0 {
		fmt.Fprintf(w, "  %-24s %s, %d refused\n", "messages", r.Outcome, r.Refused)
		fmt.Fprintf(w, "  %-24s 50 %%: %s  90 %%: %s  99 %%: %s  99.9 %%: %s  all: %s\n", "latency",
			seconds(r.Latency.Quantile(.5).Seconds()), seconds(r.Latency.Quantile(.9).Seconds()),
			seconds(r.Latency.Quantile(.99).Seconds()), seconds(r.Latency.Quantile(.999).Seconds()),
			seconds(r.Latency.Max().Seconds()))
	}
	if r.Wall > 0 && r.Measured {
		fmt.Fprintf(w, "  %-24s %.2f by the target, %.2f by the generator\n", "cores used",
			r.CPU.Seconds()/r.Wall.Seconds(), r.Own.Seconds()/r.Wall.Seconds())
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "  warning: %s\n", warning)
	}
}
