package attack

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// rooms is how many channels the forwarded polls are on.
const rooms = 16

// forwarded makes the server remember a place for each client that a proxy
// would have told of.
func forwarded(ctx context.Context, s *scene) error {
	var ringing sync.WaitGroup
	ringing.Go(func() { each(rooms/2, func(i int) { s.ring(ctx, i) }) })
	defer ringing.Wait()
	each(990, func(i int) {
		c := s.caller(attacker)
		defer c.hangUp()
		for n := 0; ctx.Err() == nil; n++ {
			c.ask(ctx, s.get("/sub/"+room(i), forwardedFor(i, n), userAgent(n)))
		}
	})
	return nil
}

// ring posts to two of the rooms, from an address of its own, as fast as it may.
func (s *scene) ring(ctx context.Context, i int) {
	c := s.caller(accomplice(i))
	defer c.hangUp()
	for n := 0; ctx.Err() == nil; n++ {
		if got := c.ask(ctx, s.say(room(2*i+n%2), "ring")); got.status != 200 {
			pause(ctx, 40*time.Millisecond)
		}
	}
}

func room(i int) string { return fmt.Sprint("room", i%rooms) }

func forwardedFor(i, n int) string {
	return fmt.Sprintf("Forwarded: for=10.%d.%d.%d;n=%d", i/250, i%250, n%250, n)
}

func userAgent(n int) string { return fmt.Sprint("User-Agent: stranger/", n) }
