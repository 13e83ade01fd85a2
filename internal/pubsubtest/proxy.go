package pubsubtest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// SlowProxy is an address that leads to another one, where each part of what is sent
// arrives later. It ends with the test.
func SlowProxy(t testing.TB, to string, delay time.Duration) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var ended sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		ended.Wait()
	})
	ended.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			ended.Go(func() { pass(far, near, delay) })
			ended.Go(func() { pass(near, far, delay) })
		}
	})
	return l.Addr().String()
}

// pass passes on what comes, and closes both ends behind it.
func pass(to, from net.Conn, delay time.Duration) {
	defer to.Close()
	defer from.Close()
	for part := make([]byte, 32<<10); ; {
		n, err := from.Read(part)
		if n > 0 {
			<-time.After(delay)
			if _, err := to.Write(part[:n]); err != nil {
				return
			}
		}
		if err != nil && err != io.ErrNoProgress {
			return
		}
	}
}
