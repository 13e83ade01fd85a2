package check_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pubsub/internal/torture/check"
)

func TestAGoodServerIsNeverAccused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := judge(check.Options{}, newServer(t).run(true))
		require.True(t, v.Clean(), "%+v", v.Faults)
	})
}

// faults change a good history into a bad one. Each returns nil where it cannot change
// the operation. stood is the id after which an answer's reader was.
var faults = map[string]struct {
	change func(op check.Op, stood uint64) check.Op
	kinds  []check.Kind // one of which must be found
}{
	"lost":       {inAnswer(1, goesOn, func(a *check.Answered) { a.Messages = a.Messages[:len(a.Messages)-1] }), []check.Kind{check.Skipped, check.UntoldGap}},
	"first lost": {inAnswer(1, goesOn, func(a *check.Answered) { a.Messages = a.Messages[1:] }), []check.Kind{check.Skipped, check.UntoldGap}},
	"doubled":    {inAnswer(1, always, func(a *check.Answered) { a.Messages = append(a.Messages, a.Messages[len(a.Messages)-1]) }), []check.Kind{check.Doubled}},
	"swapped": {inAnswer(2, goesOn, func(a *check.Answered) { a.Messages[0], a.Messages[1] = a.Messages[1], a.Messages[0] }),
		[]check.Kind{check.OutOfOrder}},
	"invented":    {inAnswer(1, always, func(a *check.Answered) { a.Messages[0].Text = "?" }), []check.Kind{check.Invented}},
	"other's":     {inAnswer(2, always, func(a *check.Answered) { a.Messages[0].Text = a.Messages[1].Text }), []check.Kind{check.Doubled, check.Repeated}},
	"same time":   {inAnswer(2, always, func(a *check.Answered) { a.Messages[1].Timestamp = a.Messages[0].Timestamp }), []check.Kind{check.Timestamps}},
	"untold":      {inAnswer(0, hasGap, func(a *check.Answered) { a.Gap = nil }), []check.Kind{check.UntoldGap}},
	"one too few": {inAnswer(0, hasExpired, func(a *check.Answered) { a.Gap.Missed-- }), []check.Kind{check.WrongMissed}},
	"stale": {func(op check.Op, _ uint64) check.Op {
		g, ok := op.(check.Glanced)
		if !ok || len(g.Messages) == 0 || g.Messages[len(g.Messages)-1].Text != text(g.Post) {
			return nil
		}
		g.Next.ID--
		g.Messages = g.Messages[:len(g.Messages)-1]
		return g
	}, []check.Kind{check.Stale}},
}

func always(*check.Answered, uint64) bool         { return true }
func goesOn(a *check.Answered, _ uint64) bool     { return !a.Fresh && a.Gap == nil }
func hasExpired(a *check.Answered, _ uint64) bool { return a.Gap != nil && a.Gap.Reason == "expired" }

// hasGap leaves out who stands before the first message: perhaps there was none, and then
// nothing is lost by a restart.
func hasGap(a *check.Answered, stood uint64) bool { return a.Gap != nil && stood > 0 }

// inAnswer changes a copy of an answer with at least so many messages.
func inAnswer(messages int, which func(*check.Answered, uint64) bool, change func(*check.Answered)) func(check.Op, uint64) check.Op {
	return func(op check.Op, stood uint64) check.Op {
		a, ok := op.(check.Answered)
		if !ok || len(a.Messages) < messages || !which(&a, stood) {
			return nil
		}
		a.Messages = slices.Clone(a.Messages)
		if a.Gap != nil {
			gap := *a.Gap
			a.Gap = &gap
		}
		change(&a)
		return a
	}
}

func TestAnInjectedFaultIsAlwaysFound(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			injected := 0
			rapid.Check(t, func(t *rapid.T) {
				history := newServer(t).run(false)
				where := places(history, fault.change)
				if len(where) == 0 {
					return
				}
				at := rapid.SampledFrom(slices.Sorted(maps.Keys(where))).Draw(t, "at")
				history[at] = where[at]
				v := judge(check.Options{}, history)
				require.True(t, slices.ContainsFunc(fault.kinds, func(k check.Kind) bool { return v.Faults[k] != nil }), "%+v", v.Faults)
				injected++
			})
			require.NotZero(t, injected, "no history has a place for it")
		})
	}
}

// places are where in a history a fault can be, and the operation with it.
func places(history []check.Op, change func(check.Op, uint64) check.Op) map[int]check.Op {
	where, stood := make(map[int]check.Op), make(map[int]uint64)
	for i, op := range history {
		a, isAnswer := op.(check.Answered)
		if bad := change(op, stood[a.Reader]); bad != nil {
			where[i] = bad
		}
		if isAnswer {
			stood[a.Reader] = a.Next.ID
		}
	}
	return where
}

// A repeat with a key must be answered with the id of the first time.
func TestARepeatWithAnotherIDIsAlwaysFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newServer(t)
		s.run(false)
		s.posts++
		s.feed(begun(s.posts))
		s.feed(check.Acknowledged{Post: s.posts, Place: s.append(s.posts)})
		s.feed(check.Again{Post: s.posts})
		s.feed(check.Acknowledged{Post: s.posts, Place: s.append(s.posts)})
		s.poll(0, 100)
		require.Contains(t, judge(check.Options{}, s.history).Faults, check.Repeated)
	})
}

// withoutIDs makes the history that of a server that numbers nothing and never forgets.
func withoutIDs(s *server) (history []check.Op) {
	steps := []func(){s.post, s.post, s.again, s.someone, s.someone}
	for range rapid.IntRange(1, 60).Draw(s.t, "steps") {
		steps[rapid.IntRange(0, len(steps)-1).Draw(s.t, "step")]()
	}
	for number := range s.readers {
		s.poll(number, len(s.log)+1)
	}
	for _, op := range s.history {
		switch changed := op.(type) {
		case check.Acknowledged:
			changed.Place = check.Place{}
			op = changed
		case check.Answered:
			changed.Next, changed.Messages = check.Place{}, slices.Clone(changed.Messages)
			for i := range changed.Messages {
				changed.Messages[i].ID = 0
			}
			op = changed
		}
		history = append(history, op)
	}
	return history
}

func TestAGoodServerWithoutIDsIsNeverAccused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := judge(check.Options{ByText: true}, withoutIDs(newServer(t)))
		require.True(t, v.Clean(), "%+v", v.Faults)
	})
}

// The last that a reader is given is kept from it: it was there before, if the reader has
// had an answer before it was posted.
func TestALossWithoutIDsIsAlwaysFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := withoutIDs(newServer(t))
		history = append(history, begun(1000), check.Acknowledged{Post: 1000}, begun(1001), check.Acknowledged{Post: 1001})
		for _, number := range rapid.SampledFrom([][]int{nil, {1000}, {1001}, {1001, 1000}, {1000, 1000, 1001}}).Draw(t, "given") {
			history = append(history, plain(number))
		}
		for _, op := range history {
			if a, ok := op.(check.Answered); ok && a.Reader == 1 {
				require.False(t, judge(check.Options{ByText: true}, history).Clean())
				return
			}
		}
	})
}
