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
	pending []byte // of a response that is not complete
}

// connect opens a client's connection and sends its poll.
func (l *loop) connect(i int) error {
	fd, err := dial(l.config.Addr, l.first+i)
	if err != nil {
		return err
	}
	l.clients[i].fd = fd
	if err := l.watch(fd, i); err != nil {
		return err
	}
	return l.poll(i)
}

func (l *loop) hangUp(i int) {
	if c := &l.clients[i]; c.fd >= 0 {
		unix.Close(c.fd) // which takes it out of the epoll too
		c.fd = -1
		c.pending = nil
	}
}

func (l *loop) poll(i int) error {
	c := &l.clients[i]
	l.scratch = l.config.Dialect.AppendPoll(l.scratch[:0], l.config.Host, l.config.Channel, c.cursor)
	n, err := unix.Write(c.fd, l.scratch)
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
	in := l.in[:n]
	if c.pending != nil {
		c.pending = append(c.pending, in...)
		in = c.pending
	}
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
	EachStamp(response.Body, l.prefix, func(s Stamp) {
		if l.tally.add(i, s, now) {
			fresh++
		}
	})
	if fresh > 0 {
		l.answers++
	}
	l.scratch = l.config.Dialect.AppendCursor(l.scratch[:0], c.cursor, response.Head, response.Body)
	c.cursor = append(c.cursor[:0], l.scratch...)
	c.pending = nil
	if err := l.poll(i); err != nil {
		l.lost(i, "a connection was lost: "+err.Error())
	}
	return fresh
}
