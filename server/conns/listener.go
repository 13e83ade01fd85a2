package conns

import (
	"errors"
	"net"
	"time"
)

// listener hands connections out that are ours, but for those over a limit.
type listener struct {
	net.Listener
	conns *Conns
	told  time.Time // when an error was logged last
}

// Accept is called by one goroutine, which tries again after most errors.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.failed(err)
			}
			return nil, err
		}
		if ours := (&Conn{Conn: c, conns: l.conns}); l.conns.admit(ours) {
			return ours, nil
		}
	}
}

const acceptErrorEvery = 10 * time.Second // at most one line

func (l *listener) failed(err error) {
	l.conns.acceptFailed()
	if now := time.Now(); now.Sub(l.told) >= acceptErrorEvery {
		l.told = now
		l.conns.responder.Log.Error("a connection could not be taken; if files are short, raise ulimit -n", "error", err)
	}
}
