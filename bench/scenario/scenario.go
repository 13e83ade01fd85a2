// Package scenario is the work that targets are given, and what is measured.
package scenario

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"pubsub/bench/load"
	"pubsub/bench/target"
)

// Scenario is one piece of work. Which fields count depends on Kind.
type Scenario struct {
	Kind  string // fanout, flood, churn, idle, stream
	Plain bool   // polls without a cursor
	Way   string // of streams instead of polls: sse or ws; stream and flood have it
	Once  bool   // a point of the curve of losses: one round is enough
	Polls int    // that wait at the same time

	Rounds     int           // fanout: messages that are measured
	Rate       float64       // flood, stream: messages a second; churn: hang-ups a second
	Duration   time.Duration // flood, stream: of what is measured
	Warmup     time.Duration // flood, stream: before that
	Publishers int           // flood, stream
	Quiet      time.Duration // stream: how long nothing happens before the streams are weighed
	DeafEvery  int           // stream: each so-manyeth client never reads; 0 is none
	Every      time.Duration // stream: with a dialect of polls, the time between two of a client; 0 is none
	Hangups    int           // churn
	Size       int           // of a message's text in bytes
}

// usualSize is the bytes of a message's text, if nothing else is said.
const usualSize = 64

// Default is a scenario of a kind with everything else as it is usually wanted.
func Default(kind string) Scenario {
	s := Scenario{
		Kind: kind, Polls: 1000,
		Rate: 1000, Duration: 5 * time.Second, Warmup: time.Second, Publishers: 1,
		Hangups: 10_000, Size: usualSize,
	}
	switch kind {
	case "flood":
		s.Polls = 100
	case "churn":
		s.Polls, s.Rate = 500, 4000
	case "idle":
		s.Polls = 10_000
	case "stream":
		s.Way, s.Quiet = "sse", 12*time.Second
		s = s.Numbered(s.Polls)
	}
	return s
}

// calm is how many messages a second so many streams are given: some tens, and
// not more than the machine can hand on.
func calm(streams int) float64 { return min(20, 50_000/float64(streams)) }

// Numbered is the scenario with another number of what it is about: polls,
// messages a second, hang-ups. 0 changes nothing.
func (s Scenario) Numbered(n int) Scenario {
	switch {
	case n == 0:
	case s.Kind == "flood":
		s.Rate = float64(n)
	case s.Kind == "stream":
		s.Polls, s.Rate = n, calm(n)
	case s.Kind == "churn":
		s.Hangups = n
	default:
		s.Polls = n
	}
	return s
}

// Rates are short floods of 50 polls, without a cursor where a target has such
// polls, to find the rate from which on messages are lost.
func Rates() []Scenario {
	var all []Scenario
	for _, rate := range []float64{10, 20, 50, 100, 200, 500, 1000, 2000} {
		s := Default("flood")
		s.Plain, s.Once = true, true
		s.Polls, s.Rate, s.Duration = 50, rate, 2*time.Second
		all = append(all, s)
	}
	return all
}

// Name says what the scenario is, in a few words.
func (s Scenario) Name() string {
	var name string
	switch s.Kind {
	case "flood", "stream":
		name = fmt.Sprintf("%s, %s %s, %s messages/s", s.Kind, thousands(s.Polls), s.readersName(), rate(s.Rate))
	case "churn":
		name = fmt.Sprintf("churn, %s hang-ups", thousands(s.Hangups))
	default:
		name = fmt.Sprintf("%s, %s polls", s.Kind, thousands(s.Polls))
	}
	if s.Size != usualSize {
		name += fmt.Sprintf(" of %s bytes", thousands(s.Size))
	}
	if s.Plain {
		name += ", without a cursor"
	}
	return name
}

// readersName is what the clients are.
func (s Scenario) readersName() string {
	name := map[string]string{"": "polls", "sse": "SSE streams", "ws": "WebSockets"}[s.Way]
	if s.DeafEvery > 0 {
		name += fmt.Sprintf(" of which %s never read", thousands(s.Polls-s.readers()))
	}
	return name
}

func rate(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2g", v)
	}
	return thousands(int(v))
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// Validate tells what cannot be run.
func (s Scenario) Validate() error {
	switch {
	case !slices.Contains([]string{"fanout", "flood", "churn", "idle", "stream"}, s.Kind):
		return fmt.Errorf("there is no scenario %q; take fanout, flood, churn, idle or stream", s.Kind)
	case !slices.Contains([]string{"", "sse", "ws"}, s.Way):
		return fmt.Errorf("there is no way %q; take sse or ws", s.Way)
	case s.DeafEvery == 1, s.DeafEvery < 0, s.Quiet < 0, s.Every < 0:
		return fmt.Errorf("%s: some clients must read, and no time can be below 0", s.Kind)
	case s.Polls < 1, s.Rate <= 0, s.Publishers < 1, s.Size < 0, s.Hangups < 1, s.Rounds < 0:
		return fmt.Errorf("%s: polls, rate, publishers and hang-ups must be above 0", s.Kind)
	case s.Duration <= 0 || s.Warmup < 0:
		return fmt.Errorf("%s: the duration must be above 0", s.Kind)
	}
	return nil
}

// For is the scenario as a target can take part in it, and false if it cannot.
func (s Scenario) For(spec target.Spec) (Scenario, bool) {
	if s.Plain && spec.Plain == nil {
		if !s.Once {
			return s, false
		}
		s.Plain = false
	}
	if s.Way != "" && spec.Streams[s.Way] == nil || s.Way == "" && spec.Dialect == nil {
		return s, false
	}
	if n := spec.MaxPolls; n > 0 {
		s.Polls = min(s.Polls, n)
		if s.Kind == "churn" { // it accepts no faster, and the others would wait for it
			s.Rate, s.Hangups = min(s.Rate, 500), min(s.Hangups, 10*n)
		}
	}
	return s, true
}

// Run gives the target the work. The target should be fresh.
func (s Scenario) Run(ctx context.Context, t *target.Target) (Result, error) {
	if err := s.Validate(); err != nil {
		return Result{}, err
	}
	r := newRun(s, t)
	var err error
	switch s.Kind {
	case "fanout":
		err = r.fanout(ctx)
	case "flood":
		err = r.flood(ctx)
	case "churn":
		err = r.churn(ctx)
	case "idle":
		err = r.idle(ctx)
	case "stream":
		err = r.stream(ctx)
	}
	if err == nil && !t.Alive() {
		err = fmt.Errorf("the target ended during the work")
	}
	if err != nil {
		err = fmt.Errorf("%s: %s: %w", t.Name, s.Name(), err)
	}
	return r.result, err
}

// run is a scenario under way.
type run struct {
	Scenario
	target *target.Target
	config *load.Config
	result Result
}

func newRun(s Scenario, t *target.Target) *run {
	dialect := t.Dialect
	if s.Plain {
		dialect = t.Plain
	}
	if s.Way != "" {
		dialect = t.Streams[s.Way]
	}
	return &run{s, t, &load.Config{
		Addr: t.Addr, Host: t.Host, Dialect: dialect, Channel: "bench",
		Nonce: strings.ToLower(rand.Text()[:8]), Base: time.Now(), Size: s.Size,
		Every: s.Every, DeafEvery: s.DeafEvery,
		Publishers: 1, Loops: max(1, runtime.NumCPU()/2), // the other half is the target's
	}, Result{Scenario: s, Target: t.Name, Measured: t.Measured()}}
}

// settleLimit is how long a target may go on computing after its work.
const settleLimit = 10 * time.Second
