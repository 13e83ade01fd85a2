package attack

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// polls takes every place that a channel has for polls, and asks again at once. The query
// is that of a poll; without one it is plain.
func polls(channel, query string) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		s.takePlaces(ctx, channel, query)
		return nil
	}
}

func (s *scene) takePlaces(ctx context.Context, channel, query string) {
	const addresses, of = 10, 1000
	var crowd sync.WaitGroup
	var had atomic.Int64
	for i := range addresses * of {
		crowd.Go(func() {
			c := s.caller(accomplice(i % addresses))
			defer c.hangUp()
			for first := true; ctx.Err() == nil; {
				got := c.ask(ctx, s.get("/sub/"+channel+query))
				if got.status == 200 && first {
					had.Add(1)
					first = false
				}
				if got.status != 200 { // as a patient attacker, who would like the place
					pause(ctx, time.Second)
				}
			}
		})
		if i%100 == 99 {
			pause(ctx, 10*time.Millisecond) // not to overrun the queue of those who connect
		}
	}
	tries, in := 0, 0
	for pause(ctx, time.Second) {
		tries++
		if s.newcomerWaits(ctx, channel, tries) {
			in++
		}
	}
	crowd.Wait()
	s.note("%d of 10,000 polls of the attacker were answered; %d of %d newcomers' polls there got in", had.Load(), in, tries)
	if in < tries {
		s.miss("%d of %d newcomers' polls were refused", tries-in, tries)
	}
}

// newcomerWaits tells whether a poll by somebody new is taken.
func (s *scene) newcomerWaits(ctx context.Context, channel string, i int) bool {
	c := &caller{scene: s, from: newcomer(i), counts: new(answers)}
	defer c.hangUp()
	got := c.askWithin(ctx, probeLimit, s.get("/sub/"+channel+"?since=now&timeout=1"))
	return got.status == 200 || ctx.Err() != nil
}
