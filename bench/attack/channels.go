package attack

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// quiet is how many honest people wait in rooms where nobody says anything.
const quiet = 20

// channels takes all the channels that there may be, and then asks whether
// others notice.
func channels(ctx context.Context, s *scene) error {
	var waiting, ready sync.WaitGroup
	var noticed disturbed
	polling, leave := context.WithCancel(ctx)
	ready.Add(quiet)
	for i := range quiet {
		waiting.Go(func() { s.waitQuietly(polling, i, &ready, &noticed) })
	}
	ready.Wait()
	dealt(ctx, 101, 16, func(part int) {
		c := s.caller(accomplice(part))
		defer c.hangUp()
		for i := range burst {
			c.ask(ctx, s.say(fmt.Sprintf("taken-%d-%d", part, i), "mine"))
		}
	})
	s.newcomersGetIn(context.WithoutCancel(ctx)) // also when all that took long
	pause(ctx, 3*time.Second)                    // for those who wait to ask again twice
	leave()
	waiting.Wait()
	if n := noticed.gaps.Load(); n > 0 {
		s.miss("%d of %d who waited were told of a gap that is none", n, quiet)
	}
	if n := noticed.refused.Load(); n > 0 {
		s.miss("%d of %d who waited were refused, with %d for one", n, quiet, noticed.status.Load())
	}
	return nil
}

// disturbed counts those who waited quietly and were answered what they should
// not have been.
type disturbed struct{ gaps, refused, status atomic.Int64 }

// waitQuietly polls a room of its own, in every other of which something was
// said before, until ctx ends or something is wrong.
func (s *scene) waitQuietly(ctx context.Context, i int, ready *sync.WaitGroup, noticed *disturbed) {
	c := &caller{scene: s, from: newcomer(i), counts: new(answers)}
	defer c.hangUp()
	name := fmt.Sprint("quiet", i)
	if i%2 == 1 {
		c.ask(ctx, s.say(name, "hush"))
	}
	got := c.ask(ctx, s.get("/sub/"+name+"?since=now&timeout=0"))
	ready.Done()
	for ctx.Err() == nil {
		cursor := cursorField.FindSubmatch(got.body)
		switch {
		case got.status != 200 || cursor == nil:
			noticed.refused.Add(1)
			noticed.status.Store(int64(got.status))
			return
		case hasGap(got.body):
			noticed.gaps.Add(1)
			return
		}
		got = c.ask(ctx, s.get("/sub/"+name+"?timeout=1&since="+string(cursor[1])))
	}
}

// newcomersGetIn posts and polls as somebody who has not been here before.
func (s *scene) newcomersGetIn(ctx context.Context) {
	c := &caller{scene: s, from: newcomer(100), counts: new(answers)}
	defer c.hangUp()
	for what, request := range map[string][]byte{
		"post to the chat":     s.say("chat", "hello"),
		"post to a new room":   s.say("newcomers", "hello"),
		"poll of the chat":     s.get("/sub/chat?since=now&timeout=0"),
		"poll of a new room":   s.get("/sub/strangers?since=now&timeout=0"),
		"list of the channels": s.get("/channels"),
	} {
		if got := c.askWithin(ctx, probeLimit, request); got.status != 200 {
			s.miss("a newcomer's %s was answered with %d", what, got.status)
		}
	}
}
