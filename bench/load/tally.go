package load

import "time"

// tally is what some clients were given. One thread writes it; it is read when
// that thread has ended.
type tally struct {
	total    int // messages in the run
	streams  int // publishers: order holds within what each of them sends
	measured int // messages before this one only warm up

	seen    []uint64 // a bit for each client and message
	highest []int32  // for each client and stream, plus one

	Got, Doubled, Disordered int
	Latency                  Histogram
}

func newTally(clients, total, streams, measured int) *tally {
	return &tally{
		total: total, streams: streams, measured: measured,
		seen:    make([]uint64, clients*words(total)),
		highest: make([]int32, clients*streams),
	}
}

func words(total int) int { return (total + 63) / 64 }

// has tells whether a client had a message.
func (t *tally) has(client, message int) bool {
	return t.seen[client*words(t.total)+message/64]>>(message%64)&1 != 0
}

// add records a message that arrived at now, and tells whether the client had
// it for the first time.
func (t *tally) add(client int, s Stamp, now time.Duration) bool {
	if s.Message < 0 || s.Message >= t.total {
		return false
	}
	word := &t.seen[client*words(t.total)+s.Message/64]
	bit := uint64(1) << (s.Message % 64)
	highest := &t.highest[client*t.streams+s.Message%t.streams]
	measured := s.Message >= t.measured
	switch {
	case *word&bit != 0:
		if measured {
			t.Doubled++
		}
		return false
	case int32(s.Message) < *highest && measured:
		t.Disordered++
	}
	*word |= bit
	*highest = max(*highest, int32(s.Message)+1)
	if measured {
		t.Got++
		t.Latency.Add(now - s.Intended)
	}
	return true
}
