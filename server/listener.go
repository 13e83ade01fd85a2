package server

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// listener gives connections three manners that net/http's lack. Where net/http
// answers 501 or 505 for what is the client's fault, before any handler sees the
// request, it is a 400. A client that does not take its answer in is reset,
// since the kernel would keep for minutes what it has for it. And hang-ups are
// seen for all connections at once, see hangups.
type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

type conn struct {
	net.Conn
	known   atomic.Bool // no newcomer any more
	writeBy time.Time   // the deadline that is set

	forget  func() // ends the watch for a hang-up, nil where there is none
	skipped bool   // the last read was
}

// connContext is for http.Server: the context ends when the client hangs up.
func (h *hangups) connContext(ctx context.Context, c net.Conn) context.Context {
	ours := c.(*conn)
	ctx, ours.forget = h.watch(ctx, ours.Conn)
	return ctx
}

// Read skips the read of one byte in which net/http waits for a hang-up while a
// handler runs, where hangups watch for it: to read nothing is nothing wrong,
// and ends that. Who reads again means it.
func (c *conn) Read(b []byte) (int, error) {
	if c.skipped = c.forget != nil && len(b) == 1 && !c.skipped; c.skipped {
		return 0, nil
	}
	return c.Conn.Read(b)
}

func (c *conn) Close() error {
	if c.forget != nil {
		c.forget()
	}
	return c.Conn.Close()
}

var badRequest = []byte("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" +
	`{"error":"The request is not HTTP/1.1 as this server speaks it. Send a body plain or in chunks."}` + "\n")

// isUnhandled tells net/http's own 501 and 505 from a part of an answer that
// happens to begin like one: no answer of ours has a line end in the middle.
func isUnhandled(b []byte) bool {
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 501 ")) && !bytes.HasPrefix(b, []byte("HTTP/1.1 505 ")) {
		return false
	}
	_, header, _ := bytes.Cut(b, []byte("\r\n"))
	return bytes.HasPrefix(header, []byte("Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"))
}

// Write gives the client the write timeout to take b in, or up to half as much
// again: a deadline costs a twentieth of a small answer, and so is not set for
// each.
func (c *conn) Write(b []byte) (int, error) {
	if now := time.Now(); c.writeBy.Sub(now) < writeTimeout {
		c.writeBy = now.Add(writeTimeout + writeTimeout/2)
		_ = c.Conn.SetWriteDeadline(c.writeBy) // a connection that is gone says so below
	}
	if isUnhandled(b) {
		if _, err := c.Conn.Write(badRequest); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	n, err := c.Conn.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // it is gone already if that fails
		}
	}
	return n, err
}

// CloseWrite is what net/http asks for to end an answer before it hangs up.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
