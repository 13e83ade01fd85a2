package conns_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/conns"
)

const switched = "HTTP/1.1 101 Switching Protocols\r\n\r\n"

// secretly takes over a connection under TLS, hands it to do, and returns the client's end.
func secretly(t *testing.T, do func(c *conns.Hijacked)) *tls.Conn {
	return secretlyWith(t, func(*tls.Config) {}, do)
}

// secretlyWith is secretly for a client with other settings.
func secretlyWith(t *testing.T, set func(*tls.Config), do func(c *conns.Hijacked)) *tls.Conn {
	serverTLS, clientTLS := certificate(t)
	set(clientTLS)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conns.MarkHandled(r)
		if !conns.CanHijack(r) {
			return // and the client gets no 101
		}
		c, _, err := conns.Hijack(w, r)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, switched)
		go do(c)
	}), serverTLS)
	c, err := tls.Dial("tcp", s.addr, clientTLS)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: chat\r\n\r\n")
	require.NoError(t, err)
	return c
}

// pattern is n bytes that tell where they are from.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// A client that reads slowly is written to without waiting for as long as there is room,
// and then with waiting. It gets every byte once, and a proper end.
func TestSlowReaderUnderTLS(t *testing.T) {
	want := pattern(20 << 20)
	full := make(chan struct{})
	c := secretly(t, func(c *conns.Hijacked) {
		defer c.Close()
		for rest, filled := want, false; len(rest) > 0; {
			n, waits, err := c.TryWrite(rest[:min(len(rest), 100_000)])
			if err != nil {
				return
			}
			if rest = rest[n:]; !waits {
				continue
			}
			if !filled {
				filled = true
				close(full)
			}
			n = min(len(rest), 50_000)
			if _, err := c.Write(rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
		if _, err := c.Write(nil); err != nil {
			return
		}
	})
	<-full
	r := bufio.NewReader(c)
	_, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	got, err := io.ReadAll(r) // io.ErrUnexpectedEOF, if there was no proper end
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "%d bytes", len(got))
}

// What a client sends is read without waiting, in whatever pieces it comes.
func TestInputUnderTLS(t *testing.T) {
	want := pattern(1 << 20)
	heard := make(chan []byte, 1)
	c := secretly(t, func(c *conns.Hijacked) {
		inputs := make(chan struct{}, 1)
		c.OnEnd(func() {})
		err := c.OnInput(func() {
			select {
			case inputs <- struct{}{}:
			default:
			}
		})
		var all []byte
		for b := make([]byte, 1000); err == nil; {
			var n int
			if n, err = c.TryRead(b); n == 0 && err == nil {
				<-inputs
			}
			all = append(all, b[:n]...)
		}
		c.Close()
		heard <- all
	})
	// What is sent before the answer would be read by net/http.
	_, err := io.ReadFull(c, make([]byte, len(switched)))
	require.NoError(t, err)
	for rest := want; len(rest) > 0; {
		n := min(len(rest), 30_011)
		_, err := c.Write(rest[:n])
		require.NoError(t, err)
		rest = rest[n:]
	}
	require.NoError(t, c.CloseWrite())
	require.True(t, bytes.Equal(want, <-heard))
}

// Who asks to be told of the end of a connection that has ended is told at once.
func TestEndBeforeAnybodyAsks(t *testing.T) {
	told := make(chan struct{})
	secretly(t, func(c *conns.Hijacked) {
		c.Close()
		c.OnEnd(sync.OnceFunc(func() { close(told) }))
	})
	<-told
}

// runs tells whether a goroutine is in a function.
func runs(name string) bool {
	stacks := make([]byte, 1<<20)
	return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(name))
}

// What the connection had no room for is still sent when it is closed, if the client reads
// it, and the end behind it.
func TestWhatIsKeptIsSentAtTheEnd(t *testing.T) {
	for name, half := range map[string]bool{"closed": false, "half closed": true} {
		t.Run(name, func(t *testing.T) {
			want := pattern(20 << 20)
			taken, closed := make(chan int), make(chan struct{})
			c := secretly(t, func(c *conns.Hijacked) {
				n := 0
				for waits, err := false, error(nil); !waits && err == nil; {
					var more int
					more, waits, err = c.TryWrite(want[n:])
					n += more
				}
				if half {
					_ = c.CloseWrite()
				} else {
					c.Finish(func() { close(closed) })
				}
				taken <- n
				if half {
					<-closed
					c.Close()
				}
			})
			n := <-taken
			r := bufio.NewReader(c)
			_, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			require.NoError(t, err, "with a proper end")
			require.True(t, bytes.Equal(want[:n], got), "%d bytes of %d", len(got), n)
			if half {
				close(closed)
			}
			<-closed
		})
	}
}

// Closing does not wait for a client that does not read, and ends a write that does. What
// the client reads then is what was written, up to somewhere.
func TestCloseUnderTLS(t *testing.T) {
	for name, when := range map[string]struct{ writes, reads bool }{
		"nobody writes": {}, "a write waits": {writes: true}, "in the midst of a write": {writes: true, reads: true},
	} {
		t.Run(name, func(t *testing.T) {
			want := pattern(20 << 20)
			tried, closes := make(chan int), make(chan struct{})
			written := make(chan error, 1)
			c := secretly(t, func(c *conns.Hijacked) {
				n := 0
				for waits, err := false, error(nil); !waits && err == nil; {
					var more int
					more, waits, err = c.TryWrite(want[n:])
					n += more
				}
				if when.writes {
					go func() { _, err := c.Write(want[n:]); written <- err }()
					for !runs("conns.(*asyncTLS).sendAll(") {
						runtime.Gosched()
					}
				}
				tried <- n
				<-closes
				c.Finish(func() {})
				close(tried)
			})
			least := <-tried
			r, had := bufio.NewReader(c), 0
			if when.reads { // into what is written with waiting
				_, err := http.ReadResponse(r, nil)
				require.NoError(t, err)
				got := make([]byte, least+1)
				had, err = io.ReadFull(r, got)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want[:had], got))
			}
			close(closes)
			<-tried // it is closed, and the client does not read
			if when.writes {
				require.ErrorIs(t, <-written, net.ErrClosed)
			}
			if !when.reads {
				_, err := http.ReadResponse(r, nil)
				require.NoError(t, err)
			}
			rest, _ := io.ReadAll(r) // whether a record is cut off is chance
			require.NotEmpty(t, rest)
			require.True(t, bytes.HasPrefix(want[had:], rest), "%d bytes after %d", len(rest), had)
			require.Less(t, had+len(rest), len(want))
		})
	}
}
