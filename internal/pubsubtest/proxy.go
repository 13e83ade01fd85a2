package pubsubtest

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Proxy is an address that leads to another one. serve passes on what comes, from the
// client's end to the server's and back; both are closed when it returns, and when the
// test ends.
func Proxy(t testing.TB, to string, serve func(near, far net.Conn)) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{to: to, serve: serve, open: make(map[net.Conn]bool)}
	t.Cleanup(func() {
		_ = l.Close()
		p.end()
		p.ended.Wait()
	})
	p.ended.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			p.ended.Go(func() { p.connect(near) })
		}
	})
	return l.Addr().String()
}

type proxy struct {
	to    string
	serve func(near, far net.Conn)
	ended sync.WaitGroup

	mu   sync.Mutex        // guards the next one
	open map[net.Conn]bool // clients' ends; nil when the test has ended
}

func (p *proxy) connect(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !p.enter(near) {
		return
	}
	p.serve(near, far)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, near)
}

func (p *proxy) enter(near net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		return false
	}
	p.open[near] = true
	return true
}

func (p *proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for near := range p.open {
		_ = near.Close()
	}
	p.open = nil
}

// BothWays passes on what comes from either end, each by a pass of its own. When one of
// them returns, it closes both ends.
func BothWays(near, far net.Conn, pass func(to, from net.Conn)) {
	var both sync.WaitGroup
	way := func(to, from net.Conn) {
		defer near.Close()
		defer far.Close()
		pass(to, from)
	}
	both.Go(func() { way(far, near) })
	both.Go(func() { way(near, far) })
	both.Wait()
}

// SlowProxy is a [Proxy] where all that is sent arrives later, as on a long line: what is
// sent meanwhile is not held up by it.
func SlowProxy(t testing.TB, to string, delay time.Duration) (addr string) {
	type part struct {
		bytes []byte
		due   time.Time
	}
	pass := func(to, from net.Conn) {
		line := make(chan part, 1000)
		var sender sync.WaitGroup
		sender.Go(func() {
			defer to.Close()
			for p := range line {
				<-time.After(time.Until(p.due))
				if _, err := to.Write(p.bytes); err != nil {
					_ = from.Close() // which ends the reader
				}
			}
		})
		defer sender.Wait()
		defer close(line)
		for b := make([]byte, 32<<10); ; {
			n, err := from.Read(b)
			if n > 0 {
				line <- part{bytes.Clone(b[:n]), time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}
	return Proxy(t, to, func(near, far net.Conn) { BothWays(near, far, pass) })
}
