package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// deafBuffer is what a client that never reads lets the kernel hold for it, in
// bytes. The server's own buffer comes on top.
const deafBuffer = 4 << 10

// deaf tells whether a client never reads.
func (l *loop) deaf(i int) bool {
	every := l.config.DeafEvery
	return every > 0 && (l.first+i)%every == every-1
}

// flow takes what has come on a stream and returns how many messages were new.
func (l *loop) flow(i int, in []byte, now time.Duration) (fresh int64) {
	c := &l.clients[i]
	if !c.open {
		rest, err := l.open(i, in)
		switch {
		case errors.Is(err, ErrIncomplete):
			c.pending = append(c.pending[:0], in...)
			return 0
		case err != nil:
			l.lost(i, err.Error())
			return 0
		}
		in = rest
	}
	read := l.lines
	if l.endless.Framed() {
		read = l.frames
	}
	fresh, left, err := read(i, in, now)
	if err != nil {
		l.lost(i, err.Error())
		return fresh
	}
	if fresh > 0 {
		l.answers++
	}
	c.pending = append(c.pending[:0], left...) // what is left may be its end
	return fresh
}

// open reads the head of a stream and returns what is behind it.
func (l *loop) open(i int, in []byte) (rest []byte, err error) {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	switch {
	case end < 0 && len(in) < 64<<10:
		return nil, ErrIncomplete
	case end < 12 || !bytes.HasPrefix(in, []byte("HTTP/1.1 ")):
		return nil, errMalformed
	}
	want := "200"
	if l.endless.Framed() {
		want = "101"
	}
	if string(in[9:12]) != want {
		return nil, fmt.Errorf("a stream was answered with %.300s", in)
	}
	l.clients[i].open = true
	l.all.opened.Add(1)
	l.all.tell()
	l.scratch = l.endless.AppendHello(l.scratch[:0], l.config.Channel)
	return in[end+4:], l.say(i)
}

// say sends what is in scratch.
func (l *loop) say(i int) error {
	if len(l.scratch) == 0 {
		return nil
	}
	n, err := unix.Write(l.clients[i].fd, l.scratch)
	l.sent.Add(int64(max(n, 0)))
	return err
}

// lines reads all whole lines.
func (l *loop) lines(i int, in []byte, now time.Duration) (fresh int64, left []byte, err error) {
	whole := bytes.LastIndexByte(in, '\n') + 1
	return l.stamps(i, in[:whole], now), in[whole:], nil
}

func (l *loop) stamps(i int, in []byte, now time.Duration) (fresh int64) {
	EachStamp(in, l.prefix, func(s Stamp) {
		if l.tally.add(i, s, now) {
			fresh++
		}
	})
	return fresh
}

// Opcodes of RFC 6455 that need something to be done.
const (
	opClose = 8
	opPing  = 9
)

// frames reads all whole frames and answers pings.
func (l *loop) frames(i int, in []byte, now time.Duration) (fresh int64, left []byte, err error) {
	for {
		op, payload, length, ok := readFrame(in)
		if !ok {
			return fresh, in, nil
		}
		switch op {
		case opClose:
			return fresh, nil, fmt.Errorf("the target closed a WebSocket: %.100q", payload)
		case opPing:
			l.scratch = appendPong(l.scratch[:0], payload)
			if err := l.say(i); err != nil {
				return fresh, nil, err
			}
		default:
			fresh += l.stamps(i, payload, now)
		}
		in = in[length:]
	}
}

// readFrame reads a frame of a server, which is not masked. ok is false if it
// is not complete.
func readFrame(b []byte) (op byte, payload []byte, length int, ok bool) {
	if len(b) < 2 {
		return 0, nil, 0, false
	}
	head, size := 2, uint64(b[1]&0x7f)
	switch {
	case size == 126 && len(b) >= 4:
		head, size = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case size == 127 && len(b) >= 10:
		head, size = 10, binary.BigEndian.Uint64(b[2:])
	case size >= 126:
		return 0, nil, 0, false
	}
	if uint64(len(b)-head) < size {
		return 0, nil, 0, false
	}
	length = head + int(size)
	return b[0] & 0xf, b[head:length], length, true
}

// appendPong appends the answer to a ping, masked with zeros, which is masked.
func appendPong(b, payload []byte) []byte {
	payload = payload[:min(len(payload), 125)]
	b = append(b, 0x8a, 0x80|byte(len(payload)), 0, 0, 0, 0)
	return append(b, payload...)
}
