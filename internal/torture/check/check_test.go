package check_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/torture/check"
)

// The histories below are of one channel, one epoch and one reader, unless they say
// otherwise.

func begun(n int) check.Op { return check.Begun{Post: n, Channel: "c", Text: text(n)} }

func text(n int) string { return fmt.Sprint("text ", n) }

func acked(n int, epoch string, id uint64) check.Op {
	return check.Acknowledged{Post: n, Place: check.Place{Epoch: epoch, ID: id}}
}

// posted is a post and its acknowledgement, with the same number as id.
func posted(n int) []check.Op { return []check.Op{begun(n), acked(n, "a", uint64(n))} }

// posts are the posts from 1 to n.
func posts(n int) (ops []check.Op) {
	for i := 1; i <= n; i++ {
		ops = append(ops, posted(i)...)
	}
	return ops
}

// answer is an answer with the posts of these numbers, each with its number as id.
func answer(epoch string, next uint64, numbers ...int) check.Answered {
	a := check.Answered{Reader: 1, Channel: "c", Next: check.Place{Epoch: epoch, ID: next}}
	for _, n := range numbers {
		a.Messages = append(a.Messages, check.Message{ID: uint64(n), Timestamp: 1000 + float64(n), Text: text(n)})
	}
	return a
}

func gap(a check.Answered, reason string, missed uint64) check.Answered {
	a.Gap = &check.Gap{Reason: reason, Missed: missed}
	return a
}

func history(parts ...any) (ops []check.Op) {
	for _, part := range parts {
		switch part := part.(type) {
		case check.Op:
			ops = append(ops, part)
		case []check.Op:
			ops = append(ops, part...)
		}
	}
	return ops
}

func judge(options check.Options, ops []check.Op) *check.Verdict {
	c := check.New(options)
	for _, op := range ops {
		c.Feed(op)
	}
	return c.Verdict()
}

// changed is an answer whose last message is changed.
func changed(a check.Answered, change func(m *check.Message)) check.Answered {
	change(&a.Messages[len(a.Messages)-1])
	return a
}

func TestEachFaultIsFound(t *testing.T) {
	for name, each := range map[string]struct {
		ops   []check.Op
		kinds []check.Kind
	}{
		"lost inside an answer": {
			history(posts(3), answer("a", 3, 1, 3)),
			[]check.Kind{check.Lost, check.Skipped},
		},
		"lost between two answers": {
			history(posts(3), answer("a", 1, 1), answer("a", 3, 3)),
			[]check.Kind{check.Lost, check.UntoldGap},
		},
		"lost, and acknowledged only after that": {
			history(begun(1), begun(2), begun(3), answer("a", 3, 1, 3), acked(2, "a", 2)),
			[]check.Kind{check.Lost, check.Skipped},
		},
		"a cursor after what the answer has": {
			history(posts(2), answer("a", 0), answer("a", 2, 1)),
			[]check.Kind{check.Lost, check.UntoldGap},
		},
		"an id that nobody was acknowledged with": {
			history(begun(1), begun(3), answer("a", 3, 1, 3)),
			[]check.Kind{check.Skipped},
		},
		"a far id": {
			history(posts(1), begun(2), answer("a", 1, 1), changed(answer("a", 1e18, 2), func(m *check.Message) { m.ID = 1e18 })),
			[]check.Kind{check.UntoldGap},
		},
		"not there in the end": {
			history(posts(2), answer("a", 1, 1)),
			[]check.Kind{check.Unread},
		},
		"in a log that the reader was not told of": {
			history(posts(1), answer("a", 1, 1), begun(2), acked(2, "b", 1), answer("a", 1)),
			[]check.Kind{check.Unread},
		},
		"doubled": {
			history(posts(2), answer("a", 2, 1, 2), answer("a", 2, 2)),
			[]check.Kind{check.Doubled},
		},
		"doubled with another id": {
			history(posts(2), answer("a", 2, 1, 2), changed(answer("a", 3, 3), func(m *check.Message) { m.Text = text(2) })),
			[]check.Kind{check.Doubled},
		},
		"one id for two": {
			history(posts(1), begun(2), acked(2, "a", 1), answer("a", 1, 1)),
			[]check.Kind{check.TwoContents},
		},
		"one id for two, where the first was lost": {
			history(begun(1), acked(1, "a", 1), answer("a", 1, 1), begun(2), acked(2, "a", 2), begun(3), changed(answer("a", 2, 3), func(m *check.Message) { m.ID = 2 })),
			[]check.Kind{check.TwoContents, check.Lost},
		},
		"out of order": {
			history(posts(3), answer("a", 3, 1, 3, 2)),
			[]check.Kind{check.OutOfOrder},
		},
		"out of order, and the next one lost": {
			history(posts(4), answer("a", 4, 1, 4, 2)),
			[]check.Kind{check.OutOfOrder, check.Skipped, check.Lost},
		},
		"out of order, and the one before lost": {
			history(posts(4), answer("a", 4, 1, 4, 3)),
			[]check.Kind{check.OutOfOrder, check.Skipped, check.Lost},
		},
		"out of order over two answers": {
			history(posts(3), answer("a", 1, 1), answer("a", 3, 3), answer("a", 3, 2)),
			[]check.Kind{check.OutOfOrder},
		},
		"one id for two, and begun anew": {
			history(posts(1), answer("a", 1, 1), begun(2), acked(2, "a", 1), begun(3), acked(3, "b", 1),
				gap(changed(answer("b", 1, 3), func(m *check.Message) { m.ID = 1 }), "restarted", 0)),
			[]check.Kind{check.TwoContents},
		},
		"begun anew, untold": {
			history(posts(1), answer("a", 1, 1), begun(2), acked(2, "b", 2), answer("b", 2, 2)),
			[]check.Kind{check.UntoldGap},
		},
		"the first of a channel is passed over": {
			history(answer("none", 0), posts(2), answer("a", 2, 2)),
			[]check.Kind{check.Lost, check.UntoldGap},
		},
		"expired, with too many": {
			history(posts(5), answer("a", 1, 1), gap(answer("a", 5, 4, 5), "expired", 3)),
			[]check.Kind{check.WrongMissed},
		},
		"expired, with none": {
			history(posts(5), answer("a", 1, 1), gap(answer("a", 5, 4, 5), "expired", 0)),
			[]check.Kind{check.WrongMissed},
		},
		"expired, with none, where none are missing": {
			history(posts(2), answer("a", 1, 1), gap(answer("a", 2, 2), "expired", 0)),
			[]check.Kind{check.WrongMissed},
		},
		"timestamps that stand": {
			history(posts(2), changed(answer("a", 2, 1, 2), func(m *check.Message) { m.Timestamp = 1001 })),
			[]check.Kind{check.Timestamps},
		},
		"not in a short poll": {
			history(posts(2), answer("a", 2, 1, 2), check.Glanced{Post: 2, Next: check.Place{Epoch: "a", ID: 1}}),
			[]check.Kind{check.Stale},
		},
		"missing in a short poll": {
			history(posts(3), answer("a", 3, 1, 2, 3), check.Glanced{Post: 2, Messages: answer("a", 3, 1, 3).Messages, Next: check.Place{Epoch: "a", ID: 3}}),
			[]check.Kind{check.Stale},
		},
		"a repeat that shows twice": {
			history(posts(1), check.Again{Post: 1}, acked(1, "a", 2), answer("a", 1, 1), changed(answer("a", 2, 2), func(m *check.Message) { m.Text = text(1) })),
			[]check.Kind{check.Repeated},
		},
		"never posted": {
			history(posts(1), begun(2), changed(answer("a", 2, 1, 2), func(m *check.Message) { m.Text = "?" })),
			[]check.Kind{check.Invented},
		},
		"posted elsewhere": {
			history(check.Begun{Post: 1, Channel: "d", Text: text(1)}, answer("a", 1, 1)),
			[]check.Kind{check.Invented},
		},
		"set back to where a reader was, and nobody told": {
			history(posts(1), answer("a", 1, 1), posted(2), begun(3), changed(answer("a", 2, 3), func(m *check.Message) { m.ID = 2 }),
				gap(check.Answered{Reader: 2, Channel: "c", Fresh: true, Next: check.Place{Epoch: "a", ID: 2}}, "restarted", 0)),
			[]check.Kind{check.TwoContents, check.Lost},
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(check.Options{}, each.ops)
			require.Len(t, v.Faults, len(each.kinds), "%+v", v.Faults)
			for _, kind := range each.kinds {
				require.Contains(t, v.Faults, kind)
				require.NotEmpty(t, v.Faults[kind].Examples)
			}
		})
	}
}

func TestGoodHistoriesAreNotAccused(t *testing.T) {
	again := answer("b", 1, 3)
	again.Messages[0].ID = 1
	setBack := changed(answer("a", 2, 1, 3), func(m *check.Message) { m.ID = 2 })
	renamed := changed(answer("b", 2, 1, 3), func(m *check.Message) { m.ID = 2 })
	late := answer("a", 5, 4, 5)
	late.Fresh = true
	for name, ops := range map[string][]check.Op{
		"nothing":                        nil,
		"all in order":                   history(posts(3), answer("a", 0), answer("a", 2, 1, 2), answer("a", 2), answer("a", 3, 3)),
		"a reader that comes later":      history(posts(5), late),
		"a post that failed and is read": history(begun(1), check.Failed{Post: 1}, answer("a", 1, 1)),
		"a post that failed":             history(begun(1), check.Failed{Post: 1}, answer("a", 0)),
		"an empty channel begins":        history(answer("none", 0), posts(2), answer("a", 2, 1, 2)),
		"one that has expired, too":      history(answer("none", 0), posts(3), gap(answer("a", 3, 3), "expired", 2)),
		"expired":                        history(posts(5), answer("a", 1, 1), gap(answer("a", 5, 4, 5), "expired", 2)),
		"all expired":                    history(posts(5), answer("a", 1, 1), gap(answer("a", 5), "expired", 4)),
		"begun anew":                     history(posts(2), answer("a", 1, 1), begun(3), acked(3, "b", 1), gap(again, "restarted", 0)),
		"a repeat after a restart":       history(posts(1), answer("a", 1, 1), check.Again{Post: 1}, acked(1, "b", 1), gap(answer("b", 1, 1), "restarted", 0)),
		"set back, and told":             history(posts(2), answer("a", 2, 1, 2), begun(3), acked(3, "a", 2), gap(setBack, "restarted", 0)),
		"set back, and then renamed":     history(posts(2), answer("a", 2, 1, 2), begun(3), acked(3, "a", 2), gap(renamed, "restarted", 0)),
		"set back to nothing, and told":  history(posts(5), answer("a", 5, 1, 2, 3, 4, 5), gap(answer("a", 1, 1), "ahead", 0)),
		"a repeat":                       history(posts(1), check.Again{Post: 1}, acked(1, "a", 1), answer("a", 1, 1)),
		"a short poll after a restart":   history(posts(1), answer("a", 1, 1), check.Glanced{Post: 1, Next: check.Place{Epoch: "b"}}),
		"a short poll that has it":       history(posts(1), answer("a", 1, 1), check.Glanced{Post: 1, Messages: answer("a", 1, 1).Messages, Next: check.Place{Epoch: "a", ID: 1}}),
		"a short poll with later ones":   history(posts(3), answer("a", 3, 1, 2, 3), check.Glanced{Post: 1, Messages: answer("a", 3, 2, 3).Messages, Next: check.Place{Epoch: "a", ID: 3}}),
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(check.Options{}, ops)
			require.True(t, v.Clean(), "%+v", v.Faults)
		})
	}
}

func TestNumbers(t *testing.T) {
	v := judge(check.Options{}, history(begun(1), check.Failed{Post: 1}, posted(2), answer("a", 1, 1), gap(answer("a", 5), "expired", 4), gap(answer("b", 0), "restarted", 0)))
	require.True(t, v.Clean(), "%+v", v.Faults)
	require.Equal(t, 2, v.Posted)
	require.Equal(t, 1, v.Acknowledged)
	require.Equal(t, 1, v.FailedRead)
	require.Equal(t, 1, v.ToldGone)
	require.Equal(t, 4, v.Missed)
	require.Equal(t, 2, v.Gaps())
}

func TestNoGaps(t *testing.T) {
	v := judge(check.Options{NoGaps: true}, history(posts(5), answer("a", 1, 1), gap(answer("a", 5, 4, 5), "expired", 2)))
	require.Len(t, v.Faults, 1)
	require.Contains(t, v.Faults, check.GapTold)
}

func TestBehind(t *testing.T) {
	c := check.New(check.Options{})
	for _, step := range []struct {
		op     check.Op
		behind int
	}{
		{begun(1), 0},
		{answer("a", 0), 0},
		{acked(1, "a", 1), 1},
		{answer("a", 1, 1), 0},
		{begun(2), 0},
		{acked(2, "b", 1), 1},
		{gap(changed(answer("b", 1, 2), func(m *check.Message) { m.ID = 1 }), "restarted", 0), 0},
	} {
		c.Feed(step.op)
		require.Equal(t, step.behind, c.Behind(), "%+v", step.op)
	}
}

// plain is an answer without ids.
func plain(numbers ...int) check.Answered {
	a := check.Answered{Reader: 1, Channel: "c"}
	for _, n := range numbers {
		a.Messages = append(a.Messages, check.Message{Text: text(n)})
	}
	return a
}

// Without ids, a reader is owed what began after its first answer.
func TestByText(t *testing.T) {
	first := history(posted(1), plain(1))
	for name, each := range map[string]struct {
		ops  []check.Op
		kind check.Kind
	}{
		"good":                                {history(first, posted(2), plain(2), begun(3), check.Failed{Post: 3}), ""},
		"at the same time, in any order":      {history(first, begun(2), begun(3), acked(2, "", 0), acked(3, "", 0), plain(3), plain(2)), ""},
		"a repeat without a key":              {history(first, begun(2), check.Again{Post: 2}, acked(2, "", 0), plain(2), plain(2)), ""},
		"what was before the reader":          {history(posted(1), posted(2), plain(2)), ""},
		"lost":                                {history(first, posted(2), posted(3), plain(3)), check.Lost},
		"not there in the end":                {history(first, posted(2)), check.Unread},
		"doubled":                             {history(first, plain(1)), check.Doubled},
		"out of order":                        {history(first, posted(2), posted(3), plain(3, 2)), check.OutOfOrder},
		"never posted":                        {history(first, plain(9)), check.Invented},
		"out of order, with an answer each":   {history(first, posted(2), posted(3), plain(3), plain(2)), check.OutOfOrder},
		"doubled with something else between": {history(first, posted(2), plain(2), plain(1)), check.Doubled},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(check.Options{ByText: true}, each.ops)
			if each.kind == "" {
				require.True(t, v.Clean(), "%+v", v.Faults)
				return
			}
			require.Len(t, v.Faults, 1, "%+v", v.Faults)
			require.Contains(t, v.Faults, each.kind)
		})
	}
}

// Nobody waits for what cannot come any more.
func TestBehindByText(t *testing.T) {
	for behind, ops := range map[int][]check.Op{
		0: history(posted(1), plain(1), posted(2), posted(3), plain(3)),
		1: history(posted(1), plain(1), posted(2)),
	} {
		c := check.New(check.Options{ByText: true})
		for _, op := range ops {
			c.Feed(op)
		}
		require.Equal(t, behind, c.Behind())
	}
}

func TestUnpromised(t *testing.T) {
	options := check.Options{ByText: true, Unpromised: true, Shared: true}
	v := judge(options, history(posted(1), plain(1), posted(2), posted(3), plain(3), plain(9)))
	require.True(t, v.Clean(), "%+v", v.Faults)
	require.Equal(t, 1, v.NotPromised)
	require.Equal(t, 1, v.Foreign)
}
