package bus

import "encoding/binary"

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

	// ready holds a token when a message may have come, the pipe was closed, or
	// the timeout of a wait is over.
	ready chan struct{}
}

func newGate() gate { return gate{rest: greetingBytes, ready: make(chan struct{}, 1)} }

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
	select {
	case g.ready <- struct{}{}:
	default:
	}
}

// firstMessage returns the length in bytes of the message at the head of b
// with all its frames, or 0 when b does not hold it whole.
func firstMessage(b []byte) (n int) {
	for {
		if len(b)-n < 2 {
			return 0
		}
		flags, size, header := b[n], uint64(b[n+1]), 2
		if flags&flagLong != 0 {
			header = 9
			if len(b)-n < header {
				return 0
			}
			size = binary.BigEndian.Uint64(b[n+1:])
		}
		if n += header; size > uint64(len(b)-n) {
			return 0
		}
		n += int(size)
		if flags&flagMore == 0 {
			return n
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
	for p.gate.rest == 0 {
		n := firstMessage(p.unread.Bytes())
		if n == 0 {
			break
		}
		p.unread.Next(n)
	}
	p.giveBack()
}
