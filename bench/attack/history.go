package attack

import (
	"context"
	"fmt"
	"time"
)

// historyOfOne posts as fast as one address may, and a little faster.
func historyOfOne(ctx context.Context, s *scene) error {
	c := s.caller(attacker)
	defer c.hangUp()
	for i := 0; ctx.Err() == nil; i++ {
		if got := c.ask(ctx, s.say(fmt.Sprint("mine", i%100), bigText)); got.status != 200 {
			pause(ctx, 40*time.Millisecond)
		}
	}
	s.noteTaken()
	return nil
}

// historyOfMany posts at once what many addresses may after a rest.
func historyOfMany(ctx context.Context, s *scene) error {
	s.fill(ctx, 60*burst, func(i int) string { return fmt.Sprint("ours", i%600) })
	s.noteTaken()
	pause(ctx, 2*time.Second) // for the chat and the health to show it
	return nil
}

func (s *scene) noteTaken() {
	s.note("%d MB of messages were taken", s.answers.byStatus[200].Load()*int64(len(bigText))/mb)
}
