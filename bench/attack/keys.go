package attack

import (
	"context"
	"fmt"
	"strings"
)

// keys fills the memory of idempotency keys, and then asks whether it keeps
// apart what is not the same.
func keys(ctx context.Context, s *scene) error {
	padding := strings.Repeat("k", 200)
	dealt(ctx, 1000, 16, func(part int) {
		c := s.caller(accomplice(part))
		defer c.hangUp()
		for i := range burst {
			c.ask(ctx, s.say("keys", "key", fmt.Sprintf("Idempotency-Key: %d-%d-%s", part, i, padding)))
		}
	})
	ctx = context.WithoutCancel(ctx) // the questions are short and must be put
	s.oneKeyTwoMessages(ctx)
	s.squattedKeys(ctx)
	return nil
}

func (s *scene) oneKeyTwoMessages(ctx context.Context) {
	c := s.caller(newcomer(0))
	defer c.hangUp()
	for _, text := range []string{"this", "that"} {
		c.ask(ctx, s.say("twice", text, "Idempotency-Key: same"))
	}
	if n := s.heard(ctx, c, "twice", "that"); n != 1 {
		s.miss("another message with the same key was swallowed")
	}
}

// squattedKeys lets a client that counts its keys post where a stranger has
// posted with the same.
func (s *scene) squattedKeys(ctx context.Context) {
	const count = 60
	s.countedPosts(ctx, accomplice(2000), "squat", count).hangUp()
	c := s.countedPosts(ctx, newcomer(1), "honest", count)
	defer c.hangUp()
	if n := s.heard(ctx, c, "squatted", "honest"); n != count {
		s.miss("a squatter silenced %d of %d messages whose keys are counted", count-n, count)
	}
}

func (s *scene) countedPosts(ctx context.Context, from address, text string, count int) *caller {
	c := s.caller(from)
	for i := range count {
		c.ask(ctx, s.say("squatted", text, fmt.Sprint("Idempotency-Key: ", i)))
	}
	return c
}

// heard is how often a channel has a message with this text.
func (s *scene) heard(ctx context.Context, c *caller, channel, text string) int {
	got := c.ask(ctx, s.get("/sub/"+channel+"?since=all&timeout=0"))
	return strings.Count(string(got.body), fmt.Sprintf(`"message":%q`, text))
}
