package bus

import (
	"bytes"
	"encoding/binary"
)

// Flag bits of a ZMTP 3 frame, https://rfc.zeromq.org/spec/23/.
const (
	flagMore    = 1 << 0
	flagLong    = 1 << 1
	flagCommand = 1 << 2

	greetingBytes = 64 // what each side sends before the first frame
)

// wakeFrame is an empty message. No published message looks like it: those
// have two frames, topic and body.
var wakeFrame = []byte{0, 0}

// gate stands before a SUB's reader and lets whole messages through, one for
// each permit. The greeting and commands (the handshake) pass freely.
// The mutex of its pipe guards it.
type gate struct {
	permits int // messages that may pass
	rest    int // bytes still to be read of what was let through
}

func newGate() *gate { return &gate{rest: greetingBytes} }

// open lets the next message of unread through if it is all there and has a
// permit, and returns how many bytes may be read now.
func (g *gate) open(unread []byte) int {
	if g.rest == 0 {
		n, command := firstMessage(unread)
		switch {
		case n == 0:
		case command:
			g.rest = n
		case g.permits > 0:
			g.permits--
			g.rest = n
		}
	}
	return min(g.rest, len(unread))
}

// firstMessage returns the length in bytes of the message at the head of b
// with all its frames, or 0 when b does not hold it whole.
func firstMessage(b []byte) (n int, command bool) {
	for {
		if len(b)-n < 2 {
			return 0, false
		}
		flags, size, header := b[n], uint64(b[n+1]), 2
		if flags&flagLong != 0 {
			header = 9
			if len(b)-n < header {
				return 0, false
			}
			size = binary.BigEndian.Uint64(b[n+1:])
		}
		if n += header; size > uint64(len(b)-n) {
			return 0, false
		}
		n += int(size)
		if flags&flagMore == 0 {
			return n, flags&flagCommand != 0
		}
	}
}

// permit lets one more message through.
func (p *pipe) permit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate.permits++
	p.wakeReader()
}

// wake uses up a permit that still waits for its message by letting an empty
// one through. Without such a permit it does nothing.
func (p *pipe) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate.permits == 0 {
		return
	}
	// A permit is given only when the message before was read to its end, so
	// this is the boundary of a message: the empty one goes before the rest.
	rest := bytes.Clone(p.unread.Bytes())
	p.unread.Reset()
	p.unread.Write(wakeFrame)
	p.unread.Write(rest)
	p.wakeReader()
}

// discard drops the whole messages that nobody has read.
func (p *pipe) discard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate.rest > 0 {
		return
	}
	for {
		n, _ := firstMessage(p.unread.Bytes())
		if n == 0 {
			return
		}
		p.unread.Next(n)
	}
}
