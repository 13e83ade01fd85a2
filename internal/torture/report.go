package torture

import (
	"fmt"
	"io"
	"strings"
	"time"

	"pubsub/internal/torture/check"
)

// report writes the verdict. Its error is ErrFaults unless all was well.
func (t *torture) report(w io.Writer) error {
	t.record.mu.Lock()
	defer t.record.mu.Unlock()
	v, n := t.record.checker.Verdict(), t.record.numbers
	t.writePosts(w, v, n)
	t.writeReads(w, v, n)
	writeGaps(w, v)
	writeFaults(w, v)
	switch {
	case v.Acknowledged == 0 || v.Read == 0:
		fmt.Fprintln(w, "\nNothing was posted and read, so nothing is known.")
		if n.lastError != nil {
			fmt.Fprintln(w, "The last request that failed:", n.lastError)
		}
		return ErrFaults
	case !v.Clean():
		return ErrFaults
	}
	fmt.Fprintln(w, "\n"+wellDone(v))
	return nil
}

func (t *torture) writePosts(w io.Writer, v *check.Verdict, n numbers) {
	fmt.Fprintf(w, "posts     %d in %s, of which %d were acknowledged and %d given up", v.Posted, count(t.channels, "channel"), v.Acknowledged, v.Failed)
	if v.FailedRead > 0 {
		fmt.Fprintf(w, " (%d of these were published all the same, which is allowed)", v.FailedRead)
	}
	fmt.Fprintf(w, "\n          refused with 429 or 503 %s%s; not answered %s%s\n",
		count(n.refused, "time"), atMost(n.longestRefused), count(n.unanswered, "time"), atMost(n.longestUnanswered))
}

func (t *torture) writeReads(w io.Writer, v *check.Verdict, n numbers) {
	fmt.Fprintf(w, "readers   %d at %s read %d messages in %d answers; %s cut, %s refused or not answered\n",
		t.clients, count(len(t.urls), "URL"), v.Read, v.Answers, count(n.cuts, "poll"), count(n.missedAnswers, "poll"))
	if v.Glanced > 0 {
		fmt.Fprintf(w, "          %s for what was just acknowledged\n", count(v.Glanced, "short poll"))
	}
	if v.NotPromised > 0 {
		fmt.Fprintf(w, "          %s not given to a reader that waited: not promised without cursors\n", count(v.NotPromised, "message"))
	}
	if v.Repeats > 0 {
		fmt.Fprintf(w, "          %s read twice that was posted twice: the server knows no keys\n", count(v.Repeats, "message"))
	}
	if v.Foreign > 0 {
		fmt.Fprintf(w, "          %s of others\n", count(v.Foreign, "message"))
	}
}

func writeGaps(w io.Writer, v *check.Verdict) {
	fmt.Fprintf(w, "gaps      %d told: %d expired (%d messages), %d restarted, %d ahead\n", v.Gaps(), v.Expired, v.Missed, v.Restarted, v.Ahead)
	if v.Gaps() > 0 && v.ToldGone > 0 {
		fmt.Fprintf(w, "          %s acknowledged and read by nobody\n", count(v.ToldGone, "message"))
	}
	if v.SetBack > 0 {
		fmt.Fprintf(w, "          %s went back to an earlier state\n", count(v.SetBack, "channel"))
	}
}

// writeFaults writes a paragraph for each kind that was found.
func writeFaults(w io.Writer, v *check.Verdict) {
	for _, kind := range check.Kinds {
		fault := v.Faults[kind]
		if fault == nil {
			continue
		}
		fmt.Fprintf(w, "\n%s\n  %s, such as\n  - %s\n", kind, count(fault.Count, "time"), strings.Join(fault.Examples, "\n  - "))
	}
}

func wellDone(v *check.Verdict) string {
	said := "Nothing was lost, doubled or reordered."
	if v.NotPromised > 0 {
		said = "Nothing was doubled or reordered."
	}
	if v.Gaps() > 0 {
		said = "Nothing was lost untold, doubled or reordered."
	}
	return said
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func atMost(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf(" (for %v at most)", d.Round(time.Millisecond))
}
