package load

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// client is one long-polling client. It belongs to its loop.
type client struct {
	fd      int
	cursor  []byte
	pending []byte    // of a response, line or frame that is not complete
	open    bool      // its stream has begun
	next    time.Time // when its next poll is due, if it waits between them
}

// connect opens a client's connection and sends its poll.
func (l *loop) connect(i int) error {
	fd, err := dial(l.config.Addr, l.first+i)
	if err != nil {
		return err
	}
	l.clients[i].fd = fd
	if l.deaf(i) {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, deafBuffer); err != nil {
			return err
		}
		return l.poll(i)
	}
	if err := l.watch(fd, i); err != nil {
		return err
	}
	if l.config.Every > 0 {
		l.napFirst(i)
		return nil
	}
	return l.poll(i)
}

func (l *loop) hangUp(i int) {
	if c := &l.clients[i]; c.fd >= 0 {
		unix.Close(c.fd) // which takes it out of the epoll too
		c.fd = -1
		c.pending, c.open = nil, false
	}
}

func (l *loop) poll(i int) error {
	c := &l.clients[i]
	l.scratch = l.config.Dialect.AppendPoll(l.scratch[:0], l.config.Host, l.config.Channel, c.cursor)
	l.requests.Add(1)
	n, err := unix.Write(c.fd, l.scratch)
	l.sent.Add(int64(max(n, 0)))
	if err == nil && n < len(l.scratch) {
		err = errors.New("a poll could not be sent in one piece")
	}
	return err
}

// serve reads what has come for a client and asks again after an answer. It
// returns how many messages were new to it.
func (l *loop) serve(i int) (fresh int64) {
	c := &l.clients[i]
	n, err := unix.Read(c.fd, l.in)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0
	case err != nil:
		l.lost(i, "a connection was lost: "+err.Error())
		return 0
	case n == 0:
		l.lost(i, "the target closed a connection")
		return 0
	}
	now := time.Since(l.config.Base)
	l.received.Add(int64(n))
	in := l.in[:n]
	if len(c.pending) > 0 {
		c.pending = append(c.pending, in...)
		in = c.pending
	}
	if l.endless != nil {
		return l.flow(i, in, now)
	}
	return l.answer(i, in, now)
}

// answer takes what has come of an answer to a poll.
func (l *loop) answer(i int, in []byte, now time.Duration) (fresh int64) {
	c := &l.clients[i]
	response, _, err := ReadResponse(in)
	switch {
	case errors.Is(err, ErrIncomplete):
		if c.pending == nil {
			c.pending = append([]byte(nil), in...)
		}
		return 0
	case err != nil:
		l.lost(i, err.Error())
		return 0
	case response.Status >= 400 && response.Status != 408: // nchan's timeout
		l.fail(fmt.Sprintf("a poll was answered with %d: %.200s", response.Status, response.Body))
		c.pending = nil
		l.later(i)
		return 0
	}
	if fresh = l.stamps(i, response.Body, now); fresh > 0 {
		l.answers++
	}
	l.scratch = l.config.Dialect.AppendCursor(l.scratch[:0], c.cursor, response.Head, response.Body)
	c.cursor = append(c.cursor[:0], l.scratch...)
	c.pending = nil
	if l.config.Every > 0 {
		l.nap(i)
	} else if err := l.poll(i); err != nil {
		l.lost(i, "a connection was lost: "+err.Error())
	}
	return fresh
}
