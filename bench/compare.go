package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"pubsub/bench/dialect"
	"pubsub/bench/load"
	"pubsub/bench/report"
	"pubsub/bench/scenario"
	"pubsub/bench/target"
)

const defaultWork = "fanout:1000,fanout:10000,plain-fanout:200,flood:1000,plain-flood:200,churn:10000,idle:10000,rates"

// streamWork is what -work streams means.
const streamWork = "stream-sse:1000,stream-sse:5000,stream-ws:1000,stream-ws:5000,flood-sse:1000,flood-ws:1000"

// compare is bench compare: all targets, all scenarios, several rounds.
func compare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("compare", `Gives several servers the same work in turn, round after round, and prints a
Markdown table: the median of the rounds, the least and the most of them, and the
ratio to the first target. Run it in the folder bench: the servers are built from
source. Leave the machine alone meanwhile.`, stderr)
	rounds := f.Int("rounds", 5, "how often everything is done")
	names := f.String("targets", strings.Join(target.PeerNames, ","), "which `servers`, in the table's order; what is not installed is left out")
	original := f.String("original", "", "`folder` of the Python original, patched for Python 3; without it, it is left out")
	work := f.String("work", defaultWork, "which `scenarios`: fanout:POLLS, flood:RATE, churn:HANGUPS, idle:POLLS, each with plain- before it for polls without a cursor; stream-sse:STREAMS, flood-sse:RATE, deaf-sse:STREAMS and the same with ws; deaf is messages of 4,000 bytes, once with all reading and once with nine of ten; streams: the usual of these; rates: what is lost at which rate, once")
	duration := f.Duration("duration", scenario.Default("flood").Duration, "how long a flood is measured")
	quiet := f.Duration("quiet", scenario.Default("stream").Quiet, "how long streams are silent before they are weighed")
	browser := f.Bool("browser", false, "polls have the headers of a browser, some 640 bytes")
	page := f.String("html", "compare.html", "`file` for the page of charts; empty for none")
	var also []target.Spec
	f.Func("also", "a further target: 'NAME DIALECT URL' or 'NAME DIALECT,DIALECT… COMMAND' with {port} in it; one dialect for polls, one for each way of streams; may be repeated", func(text string) error {
		spec, err := parseAlso(text)
		also = append(also, spec)
		return err
	})
	if err := parse(f, args); err != nil {
		return err
	}
	scenarios, err := parseWork(*work)
	if err != nil {
		return err
	}
	for i := range scenarios {
		if !scenarios[i].Once {
			scenarios[i].Duration, scenarios[i].Quiet = *duration, *quiet
		}
		if err := scenarios[i].Validate(); err != nil {
			return err
		}
	}
	if *rounds < 1 {
		return errors.New("-rounds must be above 0")
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	wanted := strings.Split(*names, ",")
	if *original != "" && !slices.Contains(wanted, "original") {
		wanted = append(wanted, "original")
	}
	specs, notes, err := target.Peers(ctx, wanted, dir, *original)
	if err != nil {
		return err
	}
	specs = append(specs, also...)
	for i := range specs {
		if d := &specs[i].Dialect; *browser && *d != nil {
			*d = dialect.Browser(*d)
		}
	}
	c := report.New(specs, scenarios, *rounds, notes)
	failed := runAll(ctx, c, specs, scenarios, *rounds, stderr)
	c.Took = time.Since(c.Began)
	c.WriteMarkdown(stdout)
	if *page != "" {
		if err := writePage(c, *page); err != nil {
			return errors.Join(failed, err)
		}
		fmt.Fprintf(stderr, "The charts are in %s.\n", *page)
	}
	return failed
}

// runAll does the work, interleaved: what else the machine does hits all alike.
// A target that fails is noted and goes on with the next scenario.
func runAll(ctx context.Context, c *report.Comparison, specs []target.Spec, scenarios []scenario.Scenario, rounds int, stderr io.Writer) error {
	for round := range rounds {
		for i, s := range scenarios {
			if s.Once && round > 0 {
				continue
			}
			for turn := range specs {
				j := (turn + round) % len(specs) // nobody is always first
				mine, takesPart := s.For(specs[j])
				if !takesPart {
					continue
				}
				fmt.Fprintf(stderr, "%s round %d of %d  %-12s %s\n", time.Now().Format(time.TimeOnly), round+1, rounds, specs[j].Name, mine.Name())
				result, err := runOnce(ctx, specs[j], mine)
				switch {
				case ctx.Err() != nil:
					return errors.New("interrupted: the table has what there was")
				case err != nil:
					fmt.Fprintln(stderr, err)
					c.Note(err.Error())
				default:
					c.Add(i, j, result)
				}
			}
		}
	}
	return nil
}

func writePage(c *report.Comparison, name string) error {
	var b strings.Builder
	if err := c.WriteHTML(&b); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(b.String()), 0o644)
}

// parseAlso reads the name, dialect and place of a target.
func parseAlso(text string) (target.Spec, error) {
	fields := strings.SplitN(text, " ", 3)
	if len(fields) < 3 {
		return target.Spec{}, errors.New("write 'NAME DIALECT URL' or 'NAME DIALECT COMMAND'")
	}
	spec := target.Spec{Name: fields[0], About: fields[2], Streams: map[string]load.Dialect{}}
	err := speak(&spec, strings.Split(fields[1], ","))
	if strings.HasPrefix(fields[2], "http://") {
		spec.URL = fields[2]
	} else {
		spec.Command = fields[2]
	}
	return spec, err
}

// speak sets how a target is spoken to: one dialect for polls, one for each way
// of streams.
func speak(spec *target.Spec, names []string) error {
	for _, name := range names {
		d, err := dialect.Named(name)
		if err != nil {
			return err
		}
		switch endless, is := d.(load.Endless); {
		case is && endless.Framed():
			spec.Streams["ws"] = d
		case is:
			spec.Streams["sse"] = d
		case d.Remembers():
			spec.Dialect = d
		default:
			spec.Dialect, spec.Plain = d, d
		}
	}
	return nil
}

// parseWork reads a list such as fanout:1000,rates.
func parseWork(list string) (all []scenario.Scenario, err error) {
	for item := range strings.SplitSeq(list, ",") {
		kind, number, numbered := strings.Cut(strings.TrimSpace(item), ":")
		n := 0
		if numbered {
			if n, err = strconv.Atoi(number); err != nil || n < 1 {
				return nil, fmt.Errorf("%q must have a whole number after the colon, such as fanout:1000", item)
			}
		}
		if kind == "rates" {
			all = append(all, scenario.Rates()...)
			continue
		}
		if kind == "streams" {
			streams, err := parseWork(streamWork)
			if err != nil {
				return nil, err
			}
			all = append(all, streams...)
			continue
		}
		kind, plain := strings.CutPrefix(kind, "plain-")
		kind, way, _ := strings.Cut(kind, "-")
		deaf := kind == "deaf"
		if deaf {
			kind = "stream"
		}
		s := scenario.Default(kind)
		s.Plain = plain
		if way != "" {
			s.Way = way
		}
		if err := s.Validate(); err != nil {
			return nil, err
		}
		s = s.Numbered(n)
		if deaf {
			s.Size = 4000
			all = append(all, s)
			s.DeafEvery = 10
		}
		all = append(all, s)
	}
	return all, nil
}
