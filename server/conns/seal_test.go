package conns_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/conns"
)

// secretly takes over a connection under TLS, hands it to do, and returns the client's end.
func secretly(t *testing.T, do func(c *conns.Taken)) *tls.Conn {
	return secretlyWith(t, func(*tls.Config) {}, do)
}

// secretlyWith is secretly for a client with other settings.
func secretlyWith(t *testing.T, set func(*tls.Config), do func(c *conns.Taken)) *tls.Conn {
	serverTLS, clientTLS := certificate(t)
	set(clientTLS)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conns.Handling(r)
		if !conns.CanTakeOver(r) {
			return // and the client gets no 101
		}
		c, _, err := conns.TakeOver(w, r)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
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
	c := secretly(t, func(c *conns.Taken) {
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
	c := secretly(t, func(c *conns.Taken) {
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
	for rest := want; len(rest) > 0; {
		n := min(len(rest), 30_011)
		_, err := c.Write(rest[:n])
		require.NoError(t, err)
		rest = rest[n:]
	}
	require.NoError(t, c.CloseWrite())
	require.True(t, bytes.Equal(want, <-heard))
}

// Closing does not wait for a client that does not read.
func TestCloseUnderTLS(t *testing.T) {
	took := make(chan time.Duration, 1)
	secretly(t, func(c *conns.Taken) {
		writes := make(chan error)
		for waits := false; !waits; {
			_, waits, _ = c.TryWrite(pattern(1 << 20))
		}
		go func() {
			_, err := c.Write(pattern(1 << 20))
			writes <- err
		}()
		began := time.Now()
		c.Close()
		if <-writes == nil {
			began = time.Time{}
		}
		took <- time.Since(began)
	})
	require.Less(t, <-took, 5*time.Second)
}
