package conns

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// seal is the TLS of a connection that was taken over. Package tls waits when it writes,
// and a part of a record is of no use. So while nobody may wait, what the connection has no
// room for is kept here, up to a record or two, and package tls never learns of it. That
// saves each stream under TLS a goroutine and the buffers of net/http.
type seal struct {
	tls  *tls.Conn
	conn *Conn

	waits   atomic.Bool // Write is under way, which may wait
	closing atomic.Bool

	mu   sync.Mutex // guards the next one, and is held while it is sent
	rest []byte     // of what package tls has written
}

const (
	// sealPiece is how much is sealed before the connection must have had room for it.
	sealPiece = 16 << 10
	// maxRest bounds what is kept. A piece is less, but package tls also answers a client
	// that changes its keys, as often as that likes.
	maxRest = 4 * sealPiece
)

var errUnread = errors.New("the client makes the server write, and does not read")

// sealAs begins a seal, if what net/http had of the connection has TLS.
func (c *Conn) sealAs(hijacked net.Conn) {
	switch h := hijacked.(type) {
	case *tls.Conn:
		c.seal = &seal{tls: h, conn: c}
	case *unsealed:
		c.seal = &seal{tls: h.Conn, conn: c}
	}
}

// unsealed is a connection that the loop gives back to net/http, with the TLS that it had
// before. net/http makes no handshake with what is not a tls.Conn itself.
type unsealed struct {
	*tls.Conn
	ours *Conn
}

// Read implements [net.Conn].
func (u *unsealed) Read(b []byte) (int, error) {
	if len(u.ours.ahead) > 0 {
		return u.ours.readAhead(b), nil
	}
	return u.Conn.Read(b)
}

// unseal ends the seal of a connection that is given back, for which it returns what net/http
// is to have. ok is false if something is kept that the client does not read.
func (c *Conn) unseal() (_ net.Conn, ok bool) {
	if c.seal == nil {
		return c, true
	}
	u := &unsealed{c.seal.tls, c}
	ok = !c.seal.hasRest()
	c.seal = nil
	return u, ok
}

// tryWrite is TryWrite. What is sealed must go out, so it counts as written.
func (s *seal) tryWrite(b []byte) (n int, waits bool, err error) {
	for waits, err = s.tryRest(); n < len(b) && !waits && err == nil; waits = s.hasRest() {
		piece := b[n:min(n+sealPiece, len(b))]
		if _, err = s.tls.Write(piece); err == nil {
			n += len(piece)
		}
	}
	return n, waits, err
}

// tryRest sends of the rest what the connection takes at once.
func (s *seal) tryRest() (waits bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) == 0 {
		return false, nil
	}
	n, err := s.conn.socket.tryWrite(s.rest)
	s.cut(n)
	return len(s.rest) > 0, err
}

func (s *seal) hasRest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rest) > 0
}

// cut takes off what was sent. mu is held.
func (s *seal) cut(n int) {
	if s.rest = s.rest[n:]; len(s.rest) == 0 {
		s.rest = nil
	}
}

// write is Write.
func (s *seal) write(b []byte) (int, error) {
	s.waits.Store(true)
	defer s.endWait()
	if s.closing.Load() {
		return 0, net.ErrClosed
	}
	if _, err := s.send(nil); err != nil || len(b) == 0 {
		return 0, err
	}
	return s.tls.Write(b)
}

// endWait also waits for what package tls sends meanwhile because of what it has read:
// that may still wait.
func (s *seal) endWait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits.Store(false)
}

// send is what package tls writes to.
func (s *seal) send(b []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits.Load() {
		return s.sendAll(b)
	}
	if len(s.rest) == 0 {
		n, err = s.conn.socket.tryWrite(b)
	}
	switch {
	case err != nil:
		return n, err
	case len(s.rest)+len(b)-n > maxRest:
		return n, errUnread
	}
	s.rest = append(s.rest, b[n:]...)
	return len(b), nil
}

// sendAll waits until everything is sent. mu is held.
func (s *seal) sendAll(b []byte) (int, error) {
	if len(s.rest) > 0 {
		n, err := s.conn.writeWaiting(s.rest)
		if s.cut(n); err != nil {
			return 0, err
		}
	}
	if len(b) == 0 {
		return 0, nil
	}
	return s.conn.writeWaiting(b)
}

// tryRead is TryRead.
func (s *seal) tryRead(b []byte) (int, error) {
	n, err := s.tls.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, nil
	}
	return n, err
}

// receive is what package tls reads from. It takes an error of a deadline for one that
// goes by.
func (s *seal) receive(b []byte) (int, error) {
	n, err := s.conn.socket.tryRead(b)
	switch {
	case errors.Is(err, io.EOF):
		return 0, io.EOF
	case n == 0 && err == nil && len(b) > 0:
		return 0, os.ErrDeadlineExceeded
	}
	return n, err
}

// closeWrite tells the client that nothing more comes. That is kept behind what is kept.
func (s *seal) closeWrite() error {
	err := s.tls.CloseWrite()
	if s.hasRest() {
		go s.sendRest()
	}
	return err
}

// restWithin is how long a client may take to read what was kept when the end came.
const restWithin = time.Second

// sendRest sends what is kept, or gives it up.
func (s *seal) sendRest() {
	s.waits.Store(true)
	defer s.endWait()
	_ = s.conn.SetWriteDeadline(time.Now().Add(restWithin)) // package tls has left one that is over
	_, _ = s.send(nil)                                      // if it fails, nobody can be told
}

// close is Finish.
func (s *seal) close(closed func()) {
	if s.closing.Store(true); !s.waits.Load() { // else somebody waits for the client to read
		_ = s.tls.CloseWrite() // if it fails, nobody can be told
		if s.hasRest() {
			go func() {
				s.sendRest()
				_ = s.conn.Close()
				closed()
			}()
			return
		}
	}
	_ = s.conn.Close()
	closed()
}
