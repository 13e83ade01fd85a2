package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// give gives a client messages that were meant to be published at once.
func give(t *tally, client int, messages ...int) (fresh int) {
	for _, m := range messages {
		if t.add(client, Stamp{Message: m}, time.Millisecond) {
			fresh++
		}
	}
	return fresh
}

// missing is how many of the first clients did not have a message.
func (t *tally) missing(clients, message int) (n int) {
	for client := range clients {
		if !t.has(client, message) {
			n++
		}
	}
	return n
}

func TestTallyCountsEachClientForItself(t *testing.T) {
	tally := newTally(3, 100, 1, 0)
	require.Equal(t, 100, give(tally, 0, seq(0, 100)...))
	require.Equal(t, 99, give(tally, 1, seq(1, 100)...))
	require.Equal(t, []int{2, 1, 1}, []int{tally.missing(3, 0), tally.missing(3, 1), tally.missing(3, 99)})
	require.Zero(t, tally.Doubled)
	require.Zero(t, tally.Disordered)
	require.Equal(t, 199, tally.Got)
	require.Equal(t, time.Millisecond, tally.Latency.Max())
}

func TestTallySeesDoublesAndDisorder(t *testing.T) {
	tally := newTally(1, 10, 1, 0)
	require.Equal(t, 4, give(tally, 0, 0, 2, 1, 2, 3, 0))
	require.Equal(t, 2, tally.Doubled)
	require.Equal(t, 1, tally.Disordered)
}

func TestTallyOrdersWithinAPublisher(t *testing.T) {
	tally := newTally(1, 8, 2, 0) // the even ones are one's, the odd ones another's
	give(tally, 0, 0, 2, 4, 1, 3, 6, 5)
	require.Zero(t, tally.Disordered)
	give(tally, 0, 7)
	require.Zero(t, tally.Disordered)
}

func TestTallyIgnoresTheWarmupAndOthers(t *testing.T) {
	tally := newTally(1, 10, 1, 4)
	require.Equal(t, 5, give(tally, 0, 3, 2, 1, 1, 0, 4, 10, -1))
	require.Equal(t, 1, tally.Got)
	require.Zero(t, tally.Doubled+tally.Disordered)
}

func seq(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}
