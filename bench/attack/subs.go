package attack

import (
	"context"
	"sync"
	"time"
)

// subs lets polls be answered and not asked again, while long messages come to
// the places that are kept for them; over and over.
func subs(polls, addresses, posts int) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		waiting := make([]*caller, polls)
		for i := range waiting {
			waiting[i] = s.caller(accomplice(i % addresses))
			defer waiting[i].hangUp()
		}
		for ctx.Err() == nil {
			s.ringAll(ctx, waiting, posts)
		}
		return nil
	}
}

// ringAll lets all poll once and posts when they wait.
func (s *scene) ringAll(ctx context.Context, waiting []*caller, posts int) {
	poll := s.get("/sub/subs")
	var answered sync.WaitGroup
	for _, c := range waiting {
		answered.Go(func() { c.ask(ctx, poll) })
	}
	pause(ctx, time.Second) // until they wait
	dealt(ctx, (posts+19)/20, 20, func(part int) {
		c := s.caller(accomplice(100 + part))
		defer c.hangUp()
		for range min(20, posts) {
			c.ask(ctx, s.say("subs", bigText))
		}
	})
	all := make(chan struct{})
	go func() { answered.Wait(); close(all) }()
	ringer := s.caller(accomplice(99)) // for polls that came after the last post
	defer ringer.hangUp()
	for {
		select {
		case <-all:
			return
		case <-time.After(time.Second):
			ringer.ask(ctx, s.say("subs", "ring"))
		}
	}
}
