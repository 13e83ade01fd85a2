package conns

import (
	"errors"
	"net"
	"time"
)

// listener returns each accepted connection as a [Conn], except those over a limit.
type listener struct {
	net.Listener
	conns *Conns
	told  time.Time // when an error was last logged
}

// Accept is called by one goroutine of net/http. After most errors it calls again.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.failed(err)
			}
			return nil, err
		}
		endSilence(c)
		if ours := newConn(c, l.conns); l.conns.admit(ours) {
			return ours, nil
		}
	}
}

const acceptErrorEvery = 10 * time.Second // no more than one log line in this time

func (l *listener) failed(err error) {
	l.conns.acceptFailed()
	if now := time.Now(); now.Sub(l.told) >= acceptErrorEvery {
		l.told = now
		l.conns.responder.Log.Error("a connection could not be taken; if files are short, raise ulimit -n", "error", err)
	}
}
