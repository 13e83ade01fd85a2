package attack

import (
	"context"
	"sync/atomic"
	"time"
)

// descriptors takes every file that the server may open. Who cannot come in
// shows in /healthz, which a newcomer asks for all the time.
func descriptors(ctx context.Context, s *scene) error {
	var had atomic.Int64
	each(1100, func(int) {
		c := s.caller(attacker)
		defer c.hangUp()
		for first := true; ctx.Err() == nil; first = false {
			if got := c.ask(ctx, s.get("/healthz")); got.status == 200 && first {
				had.Add(1)
			}
			if c.conn != nil {
				untilCut(ctx, c.conn)
				c.hangUp()
			}
			pause(ctx, time.Second)
		}
	})
	s.note("%d of 1,100 connections were had at once", had.Load())
	return nil
}
