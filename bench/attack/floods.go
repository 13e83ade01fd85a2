package attack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// upgrade is the handshake of a WebSocket.
func (s *scene) upgrade(path string) []byte {
	return s.get(path, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
}

// overWebSockets runs do over WebSockets of the attacker, each anew when it is cut off,
// until ctx ends. What comes is read.
func (s *scene) overWebSockets(ctx context.Context, do func(context.Context, net.Conn)) {
	var had, failed atomic.Int64
	each(floodFrom, func(int) {
		for ctx.Err() == nil {
			c, err := s.openWebSocket(ctx)
			if err != nil {
				failed.Add(1)
				pause(ctx, 100*time.Millisecond)
				continue
			}
			had.Add(1)
			end := context.AfterFunc(ctx, func() { c.Close() })
			s.converse(ctx, c, do)
			end()
			c.Close()
		}
	})
	s.note("%d WebSockets had, %d not", had.Load(), failed.Load())
}

func (s *scene) openWebSocket(ctx context.Context) (net.Conn, error) {
	c, err := s.dial(ctx, attacker, 0)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err = c.Write(s.upgrade("/sub/room?since=now")); err == nil {
		var response *http.Response
		if response, err = http.ReadResponse(bufio.NewReader(c), nil); err == nil && response.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("answered with %s", response.Status)
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.SetDeadline(time.Time{})
	return c, nil
}

// emptyParts sends texts that do not grow.
func emptyParts(ctx context.Context, s *scene) error {
	var all atomic.Int64
	parts := []byte(strings.Repeat("\x00\x800000", floodPiece/6))
	s.overWebSockets(ctx, func(ctx context.Context, c net.Conn) {
		if _, err := io.WriteString(c, "\x01\x800000"); err == nil {
			all.Add(inTurns(ctx, func() []byte { return parts }, c))
		}
	})
	s.note("%s of empty pieces", size(float64(all.Load())))
	return nil
}

// wordyTexts sends what has to be parsed.
func wordyTexts(ctx context.Context, s *scene) error {
	var all atomic.Int64
	text := `{"a":[` + strings.Repeat("{},", 30_000) + `{}]}`
	frame := fmt.Appendf(nil, "\x81\xff\x00\x00\x00\x00\x00%c%c%c\x00\x00\x00\x00%s", len(text)>>16, 0, 0, text)
	frame[8], frame[9] = byte(len(text)>>8), byte(len(text))
	s.overWebSockets(ctx, func(ctx context.Context, c net.Conn) {
		for ctx.Err() == nil {
			n, err := c.Write(frame)
			if all.Add(int64(n)); err != nil {
				return
			}
		}
	})
	s.note("%s of texts", size(float64(all.Load())))
	return nil
}

// hangUps asks and does not wait for the answers.
func hangUps(ctx context.Context, s *scene) error {
	const atATime = 100
	var asked atomic.Int64
	s.overHTTP2(ctx, floodFrom, func(ctx context.Context, c net.Conn) {
		for f := newFlood(1<<20, "GET", "/channels"); ctx.Err() == nil; {
			first := f.stream + 2
			for range atATime {
				f.ask(true)
			}
			if f.send(c) != nil || !pause(ctx, 10*time.Millisecond) {
				return
			}
			for stream := max(first, 1) | 1; stream <= f.stream; stream += 2 {
				f.WriteRSTStream(stream, http2.ErrCodeCancel)
			}
			asked.Add(atATime)
		}
	})
	s.note("%d asked and hung up", asked.Load())
	honest := &caller{scene: s, from: attacker, counts: new(answers)}
	defer honest.hangUp()
	begin := time.Now()
	got := honest.ask(context.Background(), s.get("/sub/chat?since=now&timeout=0"))
	s.note("the next of that address was answered %d after %s", got.status, brief(time.Since(begin)))
	return nil
}

// descriptorsProxied is one stranger behind a proxy, who takes as many connections of that
// as he gets.
func descriptorsProxied(ctx context.Context, s *scene) error {
	var polls answers
	each(1000, func(int) {
		c := &caller{scene: s, from: attacker, counts: &polls}
		defer c.hangUp()
		for ctx.Err() == nil {
			c.ask(ctx, s.get("/sub/lobby?since=now&timeout=60"))
			pause(ctx, time.Second)
		}
	})
	s.note("the stranger's polls were answered %s", &polls)
	return nil
}
