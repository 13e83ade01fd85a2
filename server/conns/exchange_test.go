package conns

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pubsub/server/settings"
	"pubsub/server/turn"
)

// rounds is how often something is done, a fifth of that in the short size.
func rounds(all int) int {
	if testing.Short() {
		return all / 5
	}
	return all
}

// answerAll answers whatever waits with its query, from several goroutines at once, of which
// one wins, until the test ends.
func (s *looping) answerAll(t testing.TB, goroutines int) {
	done := make(chan struct{})
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for {
				select {
				case e := <-s.waits:
					var both sync.WaitGroup
					for range 2 {
						both.Go(func() {
							if e.Take() {
								e.Send(whole(e.query), false, holdNothing)
							}
						})
					}
					both.Wait()
				case <-done:
					return
				}
			}
		})
	}
	t.Cleanup(func() { close(done); all.Wait() })
}

// A client asks again as soon as it has its answer, which may be before Send has returned.
func TestClientsAskAgainAtOnce(t *testing.T) { overEach(t, clientsAskAgainAtOnce) }

func clientsAskAgainAtOnce(t *testing.T, transport func(*looping, *settings.Settings)) {
	for _, processors := range []int{runtime.GOMAXPROCS(0), 1} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		s := startLoop(t, transport)
		s.answerAll(t, 2)
		var clients sync.WaitGroup
		for n := range 8 {
			c := s.dial(t)
			clients.Go(func() {
				for i := range rounds(500) {
					query := fmt.Sprint(n, "-", i)
					c.send(get("/sub/wait?" + query))
					if !assertEqual(t, query, c.answer()) {
						return
					}
				}
			})
		}
		clients.Wait()
		require.Empty(t, s.ended)
	}
}

func assertEqual(t testing.TB, want, got string) bool {
	if want != got {
		t.Errorf("%q and not %q", got, want)
	}
	return want == got
}

// What a client has sent ahead is answered behind what it waits for, also if it takes that in
// slowly; and in its order.
func TestAnswersKeepTheirOrder(t *testing.T) { overEach(t, answersKeepTheirOrder) }

func answersKeepTheirOrder(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	c := s.joined(t)
	large := strings.Repeat("x", 8<<20)
	c.send(get("/sub/wait") + get("/sub/2") + get("/sub/wait?3"))
	e := <-s.waits
	require.True(t, e.Take())
	e.Send(whole(large), false, holdNothing)
	require.True(t, e.conn.state.is(answering), "the socket has no room for it")
	c.send(get("/4") + get("/sub/5"))
	require.Equal(t, large, c.answer())
	require.Equal(t, "loop /sub/2", c.answer())
	s.answerNext(t, "3")
	require.Equal(t, "3", c.answer())
	require.Equal(t, "net/http /4", c.answer())
	require.Equal(t, "net/http /sub/5", c.answer())
	require.Zero(t, s.open())
}

// Descriptors are used again at once. No answer lands on somebody else's connection.
func TestDescriptorsAreUsedAgain(t *testing.T) {
	s := startLoop(t)
	s.answerAll(t, 2)
	var clients sync.WaitGroup
	for n := range 8 {
		clients.Go(func() {
			for i := range rounds(150) {
				c, err := net.Dial("tcp", s.addr)
				if err != nil {
					t.Error(err)
					return
				}
				query := fmt.Sprint(n, "-", i)
				_, _ = io.WriteString(c, get("/sub/wait?"+query+"-a"))
				if i%3 > 0 { // the answer goes to nobody
					if i%3 == 2 {
						_, _ = io.WriteString(c, get("/sub/wait?"+query+"-b"))
					}
					c.Close()
					continue
				}
				ours := &client{c, t, bufio.NewReader(c), nil}
				assertEqual(t, query+"-a", ours.answer())
				ours.send(get("/sub/wait?" + query + "-b"))
				assertEqual(t, query+"-b", ours.answer())
				c.Close()
			}
		})
	}
	clients.Wait()
}

// Who has to answer and cannot closes the connection. Later it is another's.
func TestAnswersThatCannotBeSent(t *testing.T) { overEach(t, answersThatCannotBeSent) }

func answersThatCannotBeSent(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	c := s.joined(t)
	c.send(get("/sub/wait"))
	e := <-s.waits
	e.Close() // it is not yet its turn
	require.True(t, e.Take())
	e.Close()
	require.Empty(t, c.ends())
	require.Zero(t, s.open())
	e.Close()

	c = s.joined(t)
	c.send(get("/sub/wait"))
	e = <-s.waits
	require.True(t, e.Take())
	e.Send(whole("there"), false, holdNothing)
	require.Equal(t, "there", c.answer())
	c.send(get("/sub/wait"))
	next := <-s.waits
	require.True(t, next.Take())
	e.Close()
	next.Send(whole("next"), false, holdNothing)
	require.Equal(t, "next", c.answer())
	require.Empty(t, s.ended)
}

func TestPanicsDoNotEndTheLoop(t *testing.T) { overEach(t, panicsDoNotEndTheLoop) }

func panicsDoNotEndTheLoop(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	other := s.joined(t)
	for _, path := range []string{"/sub/panic", "/sub/abort"} {
		c := s.joined(t)
		c.send(get(path) + get("/sub/next"))
		require.Empty(t, c.ends())
		other.send(get("/sub/a"))
		require.Equal(t, "loop /sub/a", other.answer())
	}
	c := s.joined(t)
	c.send(get("/sub/wait/panic"))
	s.answerNext(t, "all the same")
	require.Equal(t, "all the same", c.answer())
	require.Equal(t, 2, s.open())
}

// One that may wait does not keep the others waiting, nor do many of them.
func TestTheLoopIsHandedOn(t *testing.T) { overEach(t, theLoopIsHandedOn) }

func theLoopIsHandedOn(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	other := s.joined(t)
	var slow []*client
	var blocks []blocked
	for i := range 10 {
		c := s.joined(t)
		c.send(get("/sub/block") + get("/sub/next"))
		slow, blocks = append(slow, c), append(blocks, <-s.blocks)
		turn.HandOn(blocks[i].Context()) // it was
		other.send(get("/sub/a"))
		require.Equal(t, "loop /sub/a", other.answer())
	}
	other.send(get("/sub/hold"))
	hold := <-s.blocks
	close(hold.release)
	other.answer()
	turn.HandOn(hold.Context()) // it has ended
	require.Eventually(t, func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return strings.Count(string(stacks), "conns.(*loop).gather(") == 1
	}, 10*time.Second, time.Millisecond, "nobody else is the loop")
	for i := len(slow) - 1; i >= 0; i-- {
		close(blocks[i].release)
		require.Equal(t, "loop /sub/block", slow[i].answer())
		require.Equal(t, "loop /sub/next", slow[i].answer())
	}
}

// Whoever sends many requests at once has one served in each round. net/http serves one that
// has arrived only in part.
func TestOneConnectionDoesNotKeepOthersWaiting(t *testing.T) {
	overEach(t, oneConnectionDoesNotKeepOthersWaiting)
}

func oneConnectionDoesNotKeepOthersWaiting(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	many, other := s.joined(t), s.joined(t)
	requests := rounds(10_000)
	var sends sync.WaitGroup
	sends.Go(func() { many.send(get("/sub/hold") + strings.Repeat(get("/sub/many"), requests)) })
	hold := <-s.blocks
	other.send(get("/sub/times"))
	before := s.times.Load()
	close(hold.release)
	other.answer()
	require.LessOrEqual(t, <-s.counts-before, int64(3))
	require.Equal(t, "loop /sub/hold", many.answer())
	for range requests {
		require.Contains(t, []string{"loop /sub/many", "net/http /sub/many"}, many.answer())
	}
	sends.Wait()
}

// hangs is how a client hangs up.
var hangs = map[string]func(c *client){
	"closed":      func(c *client) { c.Close() },
	"reset":       func(c *client) { _ = c.tcp.SetLinger(0); c.tcp.Close() },
	"half closed": func(c *client) { _ = c.tcp.CloseWrite() },
	"with bytes": func(c *client) {
		c.send("GET /sub/x")
		_ = c.tcp.CloseWrite()
	},
	"with a request": func(c *client) {
		c.send(get("/sub/x"))
		_ = c.tcp.CloseWrite()
	},
}

func TestHangUpsInEachState(t *testing.T) { overEach(t, hangUpsInEachState) }

func hangUpsInEachState(t *testing.T, transport func(*looping, *settings.Settings)) {
	for name, hang := range hangs {
		t.Run(name, func(t *testing.T) {
			s := startLoop(t, transport)
			gone := func() {
				require.Eventually(t, func() bool { return s.conns.Open() == 0 }, 10*time.Second, time.Millisecond)
				require.Zero(t, s.open())
			}
			c := s.joined(t) // idle
			hang(c)
			gone()

			c = s.joined(t) // serving, with what was sent ahead
			c.send(get("/sub/block") + get("/sub/ahead"))
			b := <-s.blocks
			hang(c)
			<-b.Context().Done()
			require.ErrorIs(t, context.Cause(b.Context()), context.Canceled)
			close(b.release)
			gone()

			for _, ahead := range []string{"", "G", get("/sub/ahead"), strings.Repeat("x", 10_000)} { // waiting
				c = s.dial(t)
				c.send(get("/sub/wait?first") + ahead)
				e := <-s.waits
				hang(c)
				require.Equal(t, "first", <-s.ended)
				require.False(t, e.Take())
				gone()

				c = s.joined(t)
				c.send(get("/sub/wait?second"))
				e = <-s.waits
				c.send(ahead)
				hang(c)
				require.Equal(t, "second", <-s.ended)
				require.False(t, e.Take())
				gone()
			}

			c = s.joined(t) // answering
			c.send(get("/sub/wait"))
			e := <-s.waits
			require.True(t, e.Take())
			large := strings.Repeat("x", 8<<20)
			e.Send(whole(large), false, holdNothing)
			require.True(t, e.conn.state.is(answering))
			hang(c)
			if strings.HasPrefix(name, "half") || strings.HasPrefix(name, "with") {
				require.Equal(t, large, c.answer(), "it still reads")
				c.ends()
			}
			gone()
			require.Empty(t, s.ended)
		})
	}
}

type aKey struct{}

// What a handler sees of its context is as with net/http.
func TestContextsOfTheLoop(t *testing.T) {
	cause := errors.New("drain")
	base, end := context.WithCancelCause(context.WithValue(t.Context(), aKey{}, "value"))
	s := startLoop(t, func(s *looping, _ *settings.Settings) {
		s.server.BaseContext = func(net.Listener) context.Context { return base }
	})
	serve := func() (*client, blocked) {
		c := s.joined(t)
		c.send(get("/sub/block"))
		return c, <-s.blocks
	}
	c, b := serve()
	require.Equal(t, "value", b.Context().Value(aKey{}))
	require.NotNil(t, b.Context().Value(http.ServerContextKey))
	require.NotZero(t, ID(b.Request))
	_, isSet := b.Context().Deadline()
	require.False(t, isSet)
	require.NoError(t, b.Context().Err())
	child, cancel := context.WithCancel(b.Context())
	defer cancel()
	require.NoError(t, context.Cause(child))
	close(b.release)
	c.answer()
	<-child.Done() // with the request
	require.ErrorIs(t, context.Cause(child), context.Canceled)

	displaced := errors.New("displaced")
	c, b = serve()
	Ender(b.Request)(displaced)
	require.Error(t, b.Context().Err())
	require.Equal(t, displaced, context.Cause(b.Context()))
	Ender(b.Request)(errors.New("once more"))
	require.Equal(t, displaced, context.Cause(b.Context()))
	close(b.release)
	c.answer()
	c.send(get("/sub/block")) // every further request ends at once
	b = <-s.blocks
	require.Equal(t, displaced, context.Cause(b.Context()))
	close(b.release)
	c.answer()

	_, looked := serve()
	require.NoError(t, looked.Context().Err())
	select {
	case <-looked.Context().Done():
		t.Fatal("too early")
	default:
	}
	_, b = serve()
	end(cause)
	for _, b := range []blocked{looked, b} {
		<-b.Context().Done()
		require.Equal(t, cause, context.Cause(b.Context()))
		require.ErrorIs(t, b.Context().Err(), context.Canceled)
		close(b.release)
	}
}

// A drain closes what is idle, and waits for the rest.
func TestDrainInEachState(t *testing.T) { overEach(t, drainInEachState) }

func drainInEachState(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	idleOne, serves, waits, answers, back := s.joined(t), s.joined(t), s.joined(t), s.joined(t), s.joined(t)
	serves.send(get("/sub/block") + get("/sub/next"))
	b := <-s.blocks
	answers.send(get("/sub/wait"))
	sent := <-s.waits
	require.True(t, sent.Take())
	large := strings.Repeat("x", 8<<20)
	sent.Send(whole(large), false, holdNothing)
	waits.send(get("/sub/wait?waits"))
	waiting := <-s.waits
	back.send(get("/else"))
	back.answer()

	limit, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- errors.Join(s.server.Shutdown(limit), s.conns.Drain(limit)) }()
	require.Empty(t, idleOne.ends())
	require.Empty(t, back.ends())
	require.Equal(t, large, answers.answer())
	require.Empty(t, answers.ends())
	close(b.release)
	resp, err := http.ReadResponse(serves.r, nil)
	require.NoError(t, err)
	require.True(t, resp.Close)
	_, _ = io.Copy(io.Discard, resp.Body)
	require.Empty(t, serves.ends())
	require.True(t, waiting.Closes())
	require.True(t, waiting.Take())
	waiting.Send(AppendAnswer(nil, 200, nil, []byte("last"), waiting.Closes()), false, holdNothing)
	resp, err = http.ReadResponse(waits.r, nil)
	require.NoError(t, err)
	require.True(t, resp.Close)
	require.NoError(t, <-drained)
	cancel()
	require.Zero(t, s.open())
}

// What has not ended in time is cut off, and those who wait are told.
func TestDrainEndsInTime(t *testing.T) { overEach(t, drainEndsInTime) }

func drainEndsInTime(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	c := s.joined(t)
	c.send(get("/sub/wait?cut"))
	e := <-s.waits
	limit, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.conns.Drain(limit), context.Canceled)
	require.False(t, e.conn.state.is(closed))
	s.conns.loop.close()
	require.Equal(t, "cut", <-s.ended)
	require.False(t, e.Take())
	require.Empty(t, c.ends())
	require.NoError(t, s.conns.Drain(limit))
}

func TestConnectionsThatAreIdleForLong(t *testing.T) { overEach(t, connectionsThatAreIdleForLong) }

func connectionsThatAreIdleForLong(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	idleOne, waits, serves := s.joined(t), s.joined(t), s.joined(t)
	serves.send(get("/sub/block"))
	b := <-s.blocks
	waits.send(get("/sub/wait"))
	e := <-s.waits
	s.conns.loop.closeIdleSince(start)
	require.Equal(t, 3, s.open())
	s.closeIdle(t, 2)
	require.Empty(t, idleOne.ends())
	close(b.release)
	serves.answer()
	require.True(t, e.Take())
	e.Send(whole("there"), false, holdNothing)
	require.Equal(t, "there", waits.answer())

	s = startLoop(t, transport, func(s *looping, _ *settings.Settings) { s.server.IdleTimeout = 40 * time.Millisecond })
	require.Empty(t, s.joined(t).ends())
}

// Who may not wait waits as ever.
func TestWhoCannotWait(t *testing.T) {
	can := make(chan bool, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		can <- CanWait(r)
		if !CanWait(r) {
			_, err := Wait(w, r, nil)
			require.ErrorIs(t, err, errors.ErrUnsupported)
		}
	})
	tries := func(s *looping, _ *settings.Settings) { s.server.Handler = h }
	s := startLoop(t, tries)
	for text, want := range map[string]bool{
		get("/"): true, "GET / HTTP/1.0\r\nHost: x\r\n\r\n": false, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx": false,
	} {
		s.dial(t).send(text)
		require.Equal(t, want, <-can, text)
	}
	s = startLoop(t, func(s *looping, _ *settings.Settings) { s.server.Handler, s.inLoop = h, nil })
	s.dial(t).send(get("/"))
	require.False(t, <-can)
	s = startLoop(t, tries)
	s.conns.loop.closing.Store(true)
	s.dial(t).send(get("/"))
	require.False(t, <-can)
}

// Behind a proxy a connection counts for whose request is on it, and for the proxy when the
// request is answered, also if it waited.
func TestForWhomAConnectionCountsThatWaits(t *testing.T) {
	who := netip.MustParseAddr("203.0.113.7")
	s := startLoop(t, func(s *looping, set *settings.Settings) {
		set.TrustedHops = 1
		s.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.conns.CountForClient(r, who)
			defer s.conns.CountForPeer(r)
			s.toy(w, r)
		})
	})
	counts := func(want int) {
		t.Helper()
		require.Eventually(t, func() bool {
			s.conns.mu.Lock()
			defer s.conns.mu.Unlock()
			return s.conns.open.Weights.Of(who) == want && s.conns.open.Weights.Total() == 1
		}, 10*time.Second, time.Millisecond)
	}
	c := s.dial(t)
	for range 3 {
		c.send(get("/sub/wait"))
		e := <-s.waits
		counts(1)
		require.True(t, e.Take())
		e.Send(whole(""), false, holdNothing)
		counts(0)
		c.answer()
		c.send(get("/sub/block"))
		b := <-s.blocks
		counts(1)
		close(b.release)
		c.answer()
		counts(0)
		c.send(get("/"))
		c.answer()
		counts(0)
	}
	c.send(get("/sub/wait"))
	e := <-s.waits
	require.True(t, e.conn.handled.Load())
	require.True(t, e.Take())
	e.Send(whole(""), false, holdNothing)
	require.False(t, e.conn.handled.Load(), "such is displaced first")
}

// Of all that may end a wait one does, and ended is called when none has answered.
func TestOneEndsAWait(t *testing.T) { overEach(t, oneEndsAWait) }

func oneEndsAWait(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	rapid.Check(t, func(rt *rapid.T) {
		acts := rapid.SliceOfNDistinct(rapid.IntRange(0, 7), 1, 5, rapid.ID).Draw(rt, "acts")
		first := rapid.Bool().Draw(rt, "first") // of the connection, so net/http has it
		dial := s.joined
		if first {
			dial = s.dial
		}
		c := dial(t)
		c.send(get("/sub/wait?model"))
		e := <-s.waits
		var won atomic.Int64
		take := func() {
			if e.Take() {
				won.Add(1)
				e.Send(whole("won"), false, holdNothing)
			}
		}
		var all sync.WaitGroup
		for _, act := range acts {
			all.Go([]func(){
				take,                                   // a message
				take,                                   // the timeout
				func() { e.conn.end(errors.New("x")) }, // it makes room
				func() { _ = e.conn.Close() },          // displaced
				func() { c.Close() },
				func() { _ = c.tcp.CloseWrite() },
				func() { _, _ = io.WriteString(c, get("/sub/ahead")) },
				func() { s.conns.loop.closeIdleSince(time.Now()) },
			}[act])
		}
		all.Wait()
		for _, act := range acts {
			if act < 6 { // it ends
				require.Eventually(rt, func() bool { return !e.conn.state.is(waiting) }, 10*time.Second, 10*time.Microsecond)
				break
			}
		}
		if e.Take() { // nobody did
			won.Add(1)
			e.Send(whole("won"), true, holdNothing)
		}
		require.LessOrEqual(rt, won.Load(), int64(1))
		if won.Load() == 0 {
			require.Equal(rt, "model", <-s.ended)
		}
		c.Close()
		require.Eventually(rt, func() bool { return s.conns.Open() == 0 }, 10*time.Second, 10*time.Microsecond)
		require.Zero(rt, s.open())
		require.Empty(rt, s.ended)
	})
}

func TestAnswersAreNotChanged(t *testing.T) {
	h := http.Header{"Connection": {"x"}, "Cache-Control": {"no-store"}}
	before := fmt.Sprint(h)
	body := bytes.Repeat([]byte("b"), 3000)
	require.Equal(t, AppendAnswer([]byte("x"), 200, h, body, true)[1:], AppendAnswer(nil, 200, h, body, true))
	require.Equal(t, before, fmt.Sprint(h))
	require.Contains(t, string(AppendAnswer(nil, 200, h, nil, true)), "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

// A client under TLS is told that the connection ends, and may send its request in as many
// records as it likes.
func TestTheLoopUnderTLS(t *testing.T) {
	s := startLoop(t, transports["TLS"])
	ends := func(c *client) {
		_, err := c.r.ReadByte()
		require.Equal(t, io.EOF, err, "without the end that TLS has")
	}
	c := s.joined(t)
	s.closeIdle(t, 0)
	ends(c)

	c = s.joined(t)
	c.send("GET /sub/last HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n")
	require.Equal(t, "loop /sub/last", c.answer())
	ends(c)

	c = s.joined(t)
	c.send(get("/sub/wait"))
	e := <-s.waits
	require.True(t, e.Take())
	e.Send(whole("last"), true, holdNothing)
	require.Equal(t, "last", c.answer())
	ends(c)

	c = s.joined(t)
	require.NoError(t, c.Conn.(*tls.Conn).CloseWrite())
	ends(c)

	for records, by := range map[int]string{maxRecords: "loop", 2 * maxReads * maxRecords: "net/http"} {
		pieces, holder := s.joined(t), s.joined(t)
		holder.send(get("/sub/hold"))
		hold := <-s.blocks // the loop sees all pieces at once
		path := "/sub/" + strings.Repeat("x", 2*maxReads*maxRecords)
		text := get(path)
		for range records - 1 {
			pieces.send(text[:1])
			text = text[1:]
		}
		pieces.send(text)
		close(hold.release)
		require.Equal(t, by+" "+path, pieces.answer())
	}
}
