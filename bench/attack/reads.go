package attack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
)

// talkRooms is more than the transcripts that the server keeps.
const talkRooms = 70

// dearReads asks for what costs the server most and the asker least.
func dearReads(ctx context.Context, s *scene) error {
	s.fill(ctx, 15*talkRooms, func(i int) string { return talk(i % talkRooms) })
	each(50, func(i int) {
		c := s.caller(attacker)
		defer c.hangUp()
		for n := i; ctx.Err() == nil; n++ {
			c.ask(ctx, s.dearRead(n))
		}
	})
	return nil
}

func talk(i int) string { return fmt.Sprint("talk", i) }

// dearRead is the n-th of the requests, which come in turn.
func (s *scene) dearRead(n int) []byte {
	switch n % 6 {
	case 0:
		return s.get("/channels")
	case 1:
		return s.get("/chat?timeout=0&chat_id=" + talk(n/6%talkRooms))
	case 2:
		return s.get("/metrics")
	case 3:
		return s.get("/debug")
	case 4:
		return s.post("/api/publish/x", "application/json", manyArrays)
	}
	return s.get(fmt.Sprintf("/sub/new-%x?since=now&timeout=0", rand.Uint64()))
}

// manyArrays is JSON that takes much to read, and is then too long.
var manyArrays = `{"a":[` + strings.Repeat("[],", 33_000) + `0]}`
