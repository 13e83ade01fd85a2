package server_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// Polls that say what their client has need no goroutine while they wait, whether they are
// the first on their connection or not, and their crowd needs a few.
func TestPollsWithACursorHaveNoGoroutine(t *testing.T) {
	for path, secure := range map[string]bool{
		"/sub/a?x=%d&since=now": false, "/subscribe/b?last_event_id=%d": false, "/api/poll/c?last_message_id=%d": false, "/sub/d?x=%d&since=now": true,
	} {
		t.Run(path, func(t *testing.T) {
			set, certificate := withTLS(t)
			if set.Crowd = true; !secure {
				set.TLSCert, set.TLSKey = "", ""
			}
			s := start(t, set)
			dial := s.dial
			if secure {
				s = s.overTLS(t, false, certificate)
				dial = s.dialSecurely
			}
			const polls = 100
			var all []net.Conn
			for range polls {
				c := dial(t, fmt.Sprintf(path, 0))
				defer c.Close()
				all = append(all, c)
			}
			for id := range 3 {
				s.polling(t, polls)
				s.http.CloseIdleConnections()
				stacks := make([]byte, 4<<20)
				require.Eventually(t, func() bool { // those of other tests may be about to end
					all := string(stacks[:runtime.Stack(stacks, true)])
					return strings.Count(all, "net/http.(*conn).serve") == 0 && strings.Count(all, "hub.(*Follower).Next(") == 1
				}, patience, time.Millisecond, "the crowd's alone")
				room := path[strings.LastIndexByte(path, '/')+1:][:1]
				resp, body := s.do(t, "POST", "/pub/"+room+"?message=hi", "")
				require.Equal(t, http.StatusOK, resp.StatusCode, body)
				for _, c := range all {
					status, body := answer(t, c)
					require.Equal(t, http.StatusOK, status)
					require.Contains(t, body, `"message":"hi"`)
					_, err := io.WriteString(c, request(fmt.Sprintf(path, id+1)))
					require.NoError(t, err)
				}
			}
		})
	}
}

// stormer is a client that polls, and does whatever a client may do.
type stormer struct {
	s    *running
	dice *rand.Rand
	c    net.Conn
	r    *bufio.Reader
}

// step asks, and takes the answer, hangs up, or lets a newer poll of its own take its place.
func (c *stormer) step() error {
	if c.c == nil {
		conn, err := net.Dial("tcp", c.s.addr)
		if err != nil {
			return err
		}
		c.c, c.r = conn, bufio.NewReader(conn)
	}
	path := fmt.Sprintf("/sub/%s?since=%s&timeout=%.3f", []string{"a", "b", "a,b"}[c.dice.IntN(3)], []string{"now", "-1"}[c.dice.IntN(8)/7], c.dice.Float64()/4)
	headers := []string{fmt.Sprintf("X-Client-ID: %d", c.dice.IntN(20))}
	if c.dice.IntN(4) == 0 {
		path += fmt.Sprintf("&presence=n%d", c.dice.IntN(5))
	}
	if _, err := io.WriteString(c.c, head("GET", path, headers...)); err != nil {
		return c.hangUp()
	}
	if c.dice.IntN(4) == 0 {
		time.Sleep(time.Duration(c.dice.IntN(3)) * time.Millisecond) // any time is a good one to hang up
		return c.hangUp()
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusTooManyRequests {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	if resp.Close {
		return c.hangUp()
	}
	return nil
}

func (c *stormer) hangUp() error {
	_ = c.c.Close()
	c.c = nil
	return nil
}

// Whatever comes at the same time — messages, timeouts, hang-ups, polls that take the place
// of others — each poll is answered once, and counted no longer.
func TestNothingStaysOfAStormOfPolls(t *testing.T) {
	set := open()
	set.MaxPollsPerAddress = 100
	s := start(t, set)
	var clients, poster sync.WaitGroup
	stop := make(chan struct{})
	poster.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				s.do(t, "POST", []string{"/pub/a", "/pub/b"}[i%2]+"?message=hi", "")
				runtime.Gosched()
			}
		}
	})
	for i := range 40 {
		clients.Go(func() {
			c := &stormer{s: s, dice: rand.New(rand.NewPCG(uint64(i), 1))}
			for range pubsubtest.Size(1000, 60) {
				if err := c.step(); err != nil {
					t.Error(err)
					return
				}
			}
			if c.c != nil {
				_ = c.hangUp()
			}
		})
	}
	clients.Wait()
	close(stop)
	poster.Wait()
	s.polling(t, 0)
	require.Zero(t, s.metric(t, `pubsub_panics_total`))
	for range set.MaxPollsPerAddress { // as many as if nobody had been here
		defer s.dial(t, "/sub/a?since=now").Close()
	}
	s.polling(t, set.MaxPollsPerAddress)
	resp, body := s.do(t, "GET", "/sub/a?since=now", "")
	requireRefused(t, resp, body, 429, "100 polls are pending")
}

// An answer that its client does not take in counts for the address as long as it is in
// memory. Those for whom there is no room are cut off, and come again.
func TestUnreadAnswersOfWaitingPollsCount(t *testing.T) {
	const polls = 60 // each has an answer of its own
	set := open()
	set.MaxMessageBytes, set.Crowd = 1<<20, true
	s := start(t, set)
	var all []net.Conn
	for i := range polls {
		c := s.dialFrom(t, "127.0.0.66", "")
		defer c.Close()
		_, err := io.WriteString(c, head("GET", "/sub/room?since=now", fmt.Sprintf("X-Request-ID: %d", i)))
		require.NoError(t, err)
		all = append(all, c)
	}
	s.polling(t, polls)
	before := heap()
	resp, body := s.do(t, "POST", "/pub/room", `{"message":"`+strings.Repeat("x", 900<<10)+`"}`, "Content-Type: application/json")
	require.Equal(t, http.StatusOK, resp.StatusCode, body)
	s.polling(t, 0)
	require.Eventually(t, func() bool { return heap()-before < 16<<20 }, patience, time.Millisecond, "8 MiB, and what the log has")
	whole, cut := 0, 0
	for _, c := range all {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		if err == nil {
			whole++
		} else {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			cut++
		}
	}
	t.Logf("%d answers were taken in, %d cut off", whole, cut)
	require.Positive(t, whole)
	require.Positive(t, cut)
}
