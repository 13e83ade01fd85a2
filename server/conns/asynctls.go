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

// asyncTLS is the TLS of a connection that was taken over. crypto/tls cannot resume a
// half-written record. So a non-blocking write buffers here what the socket did not take, and
// reports success to crypto/tls. That saves each stream under TLS a goroutine and the buffers
// of net/http.
type asyncTLS struct {
	tls  *tls.Conn
	conn *Conn

	waits   atomic.Bool // write or sendRest is under way, and may wait
	closing atomic.Bool

	mu   sync.Mutex // guards rest, and is held while rest is sent; no other lock is taken under it
	rest []byte     // sealed bytes that the socket did not take
}

const (
	// sealPiece is how much is sealed at a time. The next piece must wait until the socket has
	// taken this one.
	sealPiece = 16 << 10
	// maxRest bounds the buffer. A sealed piece is smaller, but crypto/tls also answers each
	// key update of the client, and a client may send any number of them.
	maxRest = 4 * sealPiece
)

var errUnread = errors.New("the client makes the server write, and does not read")

// beginTLS begins the asyncTLS of a connection, if the hijacked connection has TLS.
func (c *Conn) beginTLS(hijacked net.Conn) {
	switch h := hijacked.(type) {
	case *tls.Conn:
		c.tls = &asyncTLS{tls: h, conn: c}
	case *backTLS:
		c.tls = &asyncTLS{tls: h.Conn, conn: c}
	}
}

// backTLS is a connection under TLS that the loop gives back to net/http. It hides the
// tls.Conn, with which net/http would start a handshake.
type backTLS struct {
	*tls.Conn
	ours *Conn
}

// Read implements [net.Conn].
func (u *backTLS) Read(b []byte) (int, error) {
	if len(u.ours.ahead) > 0 {
		return u.ours.readAhead(b), nil
	}
	return u.Conn.Read(b)
}

// endTLS ends the asyncTLS of a connection, and returns the connection for net/http. ok is false
// if sealed bytes are left that the client does not read.
func (c *Conn) endTLS() (_ net.Conn, ok bool) {
	if c.tls == nil {
		return c, true
	}
	u := &backTLS{c.tls.tls, c}
	ok = !c.tls.hasRest()
	c.tls = nil
	return u, ok
}

// tryWrite is [Hijacked.TryWrite]. Bytes that are sealed count as written, because they must be
// sent.
func (s *asyncTLS) tryWrite(b []byte) (n int, waits bool, err error) {
	for waits, err = s.tryRest(); n < len(b) && !waits && err == nil; waits = s.hasRest() {
		piece := b[n:min(n+sealPiece, len(b))]
		if _, err = s.tls.Write(piece); err == nil {
			n += len(piece)
		}
	}
	return n, waits, err
}

// tryRest sends as much of the rest as the socket takes. waits tells that some is left.
func (s *asyncTLS) tryRest() (waits bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) == 0 {
		return false, nil
	}
	n, err := s.conn.socket.tryWrite(s.rest)
	s.cut(n)
	return len(s.rest) > 0, err
}

func (s *asyncTLS) hasRest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rest) > 0
}

// cut drops the n bytes that were sent. mu is held.
func (s *asyncTLS) cut(n int) {
	if s.rest = s.rest[n:]; len(s.rest) == 0 {
		s.rest = nil
	}
}

// write is [Hijacked.Write].
func (s *asyncTLS) write(b []byte) (int, error) {
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

// endWait ends the time in which send may wait. The lock makes endWait wait for a write of
// crypto/tls that began in that time, for example an answer to a key update.
func (s *asyncTLS) endWait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits.Store(false)
}

// send is the Write that crypto/tls calls. It waits only while waits is set.
func (s *asyncTLS) send(b []byte) (n int, err error) {
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

// sendAll sends the rest and then b, and waits until both are sent. mu is held.
func (s *asyncTLS) sendAll(b []byte) (int, error) {
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

// tryRead is [Hijacked.TryRead].
func (s *asyncTLS) tryRead(b []byte) (int, error) {
	n, err := s.tls.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, nil
	}
	return n, err
}

// receive is the Read that crypto/tls calls. It returns os.ErrDeadlineExceeded when there is
// nothing to read, because crypto/tls treats that as temporary.
func (s *asyncTLS) receive(b []byte) (int, error) {
	n, err := s.conn.socket.tryRead(b)
	switch {
	case errors.Is(err, io.EOF):
		return 0, io.EOF
	case n == 0 && err == nil && len(b) > 0:
		return 0, os.ErrDeadlineExceeded
	}
	return n, err
}

// closeWrite tells the client that nothing more comes. That goes out after the rest.
func (s *asyncTLS) closeWrite() error {
	err := s.tls.CloseWrite()
	if s.hasRest() {
		go s.sendRest()
	}
	return err
}

// restWithin is how long a client may take to read the rest before the connection closes.
const restWithin = time.Second

// sendRest sends the rest, or gives it up after restWithin.
func (s *asyncTLS) sendRest() {
	s.waits.Store(true)
	defer s.endWait()
	_ = s.conn.SetWriteDeadline(time.Now().Add(restWithin)) // crypto/tls has left a deadline that is over
	_, _ = s.send(nil)                                      // if it fails, nobody can be told
}

// close is [Hijacked.Finish].
func (s *asyncTLS) close(closed func()) {
	if s.closing.Store(true); !s.waits.Load() { // otherwise a write waits for the client to read
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
