package bus

import (
	"encoding/binary"
	"math"
)

// Flag bits of a ZMTP 3 frame, https://rfc.zeromq.org/spec/23/.
const (
	flagMore = 1 << 0
	flagLong = 1 << 1

	greetingBytes = 64 // what each side sends before the first frame
)

// gate stands before a SUB's reader and lets whole messages through, one for
// each permit. The greeting passes freely. The mutex of its pipe guards it.
type gate struct {
	permits int // messages that may pass
	rest    int // bytes still to be read of what was let through
	skip    int // bytes still to be written of a message that is dropped
	keep    int // or of the greeting or a message that is not

	// onMessage is called for each message when it begins, and the message dropped;
	// nil for a SUB that waits for messages.
	onMessage func()
	// onMerge is called for each message that is dropped because one waits.
	onMerge func()

	// ready holds a token when a message may have come, the pipe was closed, or
	// the timeout of a wait is over.
	ready chan struct{}
	// elsewhere is another pipe's ready that is rung instead, if it is not nil.
	elsewhere chan struct{}
}

func newGate() gate {
	return gate{rest: greetingBytes, keep: greetingBytes, ready: make(chan struct{}, 1)}
}

// open lets the next message of unread through if it is all there and has a
// permit, and returns how many bytes may be read now.
func (g *gate) open(unread []byte) int {
	if g.rest == 0 && g.permits > 0 {
		if g.rest = firstMessage(unread); g.rest > 0 {
			g.permits--
		}
	}
	return min(g.rest, len(unread))
}

// ring leaves a token for the goroutine that waits, if there is none.
func (g *gate) ring() {
	ready := g.ready
	if g.elsewhere != nil {
		ready = g.elsewhere
	}
	select {
	case ready <- struct{}{}:
	default:
	}
}

// wake rings as a message would.
func (p *pipe) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate.ring()
}

// ringAt rings there from now on, at its own place if that is nil.
func (p *pipe) ringAt(ready chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate.elsewhere = ready
}

// merges tells whether b is of a message that is dropped: whoever has one to see
// already comes for everything. zmq4 writes a frame's header at once. mu is held.
func (p *pipe) merges(b []byte) bool {
	g := &p.gate
	switch {
	case g.skip > 0:
		g.skip -= len(b)
		return true
	case g.keep > 0:
		g.keep -= len(b)
		return false
	case len(b) < 2:
		return false
	}
	_, header, size := frame(b)
	rest := header + int(size) - len(b)
	switch {
	case g.onMessage != nil:
		g.onMessage()
	case g.rest == 0 && firstMessage(p.unread.Bytes()) > 0:
		g.onMerge()
	default:
		g.keep = rest
		return false
	}
	g.skip = rest
	return true
}

// frame reads the header of the frame at the head of b, which has at least 2
// bytes: the flags, how long the header is, and how much follows it.
func frame(b []byte) (flags byte, header int, size uint64) {
	if b[0]&flagLong == 0 {
		return b[0], 2, uint64(b[1])
	}
	if len(b) < 9 {
		return b[0], 9, math.MaxUint64
	}
	return b[0], 9, binary.BigEndian.Uint64(b[1:])
}

// firstMessage returns the length in bytes of the message at the head of b
// with all its frames, or 0 when b does not hold it whole.
func firstMessage(b []byte) (n int) {
	for len(b)-n >= 2 {
		flags, header, size := frame(b[n:])
		if n += header; n > len(b) || size > uint64(len(b)-n) {
			return 0
		}
		n += int(size)
		if flags&flagMore == 0 {
			return n
		}
	}
	return 0
}

// permit lets one more message through.
func (p *pipe) permit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate.permits++
	p.wakeReader()
}

// look tells whether a whole message waits before the gate, and whether the pipe
// is closed.
func (p *pipe) look() (holds, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gate.rest == 0 && firstMessage(p.unread.Bytes()) > 0, p.writerClosed || p.readerClosed
}

// discard drops the whole messages that wait before the gate.
func (p *pipe) discard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate.ready: // told of what is dropped here, or that Look will see
	default:
	}
	for p.gate.rest == 0 {
		n := firstMessage(p.unread.Bytes())
		if n == 0 {
			break
		}
		p.unread.Next(n)
	}
	p.giveBack()
}
