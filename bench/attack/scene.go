package attack

import (
	"context"
	"fmt"
	"sync"
	"time"

	"pubsub/bench/target"
)

// scene is one attack under way: the server, and what has been seen so far.
type scene struct {
	Options
	target  *target.Target
	beside  *target.Target // nobody attacks this one
	secure  bool           // the server speaks TLS
	proxied bool           // all come through a proxy
	stderr  *stderr
	answers answers // to the attacker

	saidMu sync.Mutex // guards the next two
	notes  []string
	missed []string
}

// note says something that has no column.
func (s *scene) note(format string, args ...any) {
	s.saidMu.Lock()
	defer s.saidMu.Unlock()
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// miss says what the server should have done and did not.
func (s *scene) miss(format string, args ...any) {
	s.saidMu.Lock()
	defer s.saidMu.Unlock()
	s.missed = append(s.missed, fmt.Sprintf(format, args...))
}

// each runs do for 0 to n-1, all at once, and waits.
func each(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// dealt runs do for 0 to n-1, so many at a time, until ctx ends.
func dealt(ctx context.Context, n, atATime int, do func(i int)) {
	next := make(chan int)
	go func() {
		defer close(next)
		for i := range n {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	each(atATime, func(int) {
		for i := range next {
			do(i)
		}
	})
}

// burst is how many messages one address may post at once, by default.
const burst = 100

// fill posts n messages of 16 KB, the i-th to channel(i), from as many
// addresses as that takes. It returns how many were taken.
func (s *scene) fill(ctx context.Context, n int, channel func(i int) string) int {
	var taken answers
	dealt(ctx, (n+burst-1)/burst, 8, func(part int) {
		c := s.caller(accomplice(10_000 + part))
		defer c.hangUp()
		for i := part * burst; i < min(n, (part+1)*burst); i++ {
			taken.add(c.ask(ctx, s.say(channel(i), bigText)))
		}
	})
	return int(taken.byStatus[200].Load())
}

// pause waits, or returns false when ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
