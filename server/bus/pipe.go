package bus

import (
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

// keepBuffer is the capacity in bytes up to which an emptied buffer stays for
// the next write; a larger one is given back, a waiting poll should be small.
const keepBuffer = 1 << 10

// pipe is one direction of a connection: bytes go in at one end, wait in a
// buffer, and come out at the other. All methods are safe for concurrent use.
//
// A write is taken whole. It waits while pipeLimit bytes or more wait, so the
// buffer is bounded by that plus one write. A SUB's pipe, which has a gate, holds
// one message that was not seen and drops what comes behind it: it is never
// waited for.
type pipe struct {
	mu           sync.Mutex // guards all below; what a poll needs comes first
	unread       bytes.Buffer
	gate         gate // its zero value: bytes come out as they went in
	writerClosed bool
	readerClosed bool
	noReader     bool // see endReader

	readers       int       // reads that wait
	waiters       int       // writes and idle() calls that wait
	changed       sync.Cond // anything here changed that somebody may wait for
	readDeadline  deadline
	writeDeadline deadline
	lastWrite     chan struct{} // see endWriter
}

type deadline struct {
	timer  *time.Timer
	passed bool
}

const pipeLimit = 64 << 10

func newPipe() *pipe {
	p := new(pipe)
	p.changed.L = &p.mu
	return p
}

// Read waits for bytes. After the writer's close it hands out what is left,
// then io.EOF. One goroutine for each pending poll waits in it: it is the
// connection's own Read, and defers nothing, to be small on its stack.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	for {
		n, err := p.tryRead(b)
		if n > 0 || err != nil {
			p.mu.Unlock()
			return n, err
		}
		if p.noReader {
			p.mu.Unlock()
			runtime.Goexit()
		}
		p.readers++
		if p.waiters > 0 {
			p.changed.Broadcast()
		}
		p.changed.Wait()
		p.readers--
	}
}

// tryRead reads what there is. mu is held.
func (p *pipe) tryRead(b []byte) (int, error) {
	switch {
	case p.readerClosed:
		return 0, opError("read", io.ErrClosedPipe)
	case p.readDeadline.passed:
		return 0, opError("read", os.ErrDeadlineExceeded)
	}
	if n := p.readable(); n > 0 {
		return p.take(b, n), nil
	}
	if p.writerClosed {
		return 0, io.EOF
	}
	return 0, nil
}

// readable tells how many bytes may be read now. mu is held.
func (p *pipe) readable() int {
	if p.gate.ready != nil {
		return p.gate.open(p.unread.Bytes())
	}
	return p.unread.Len()
}

// take moves up to n bytes into b. mu is held.
func (p *pipe) take(b []byte, n int) int {
	n = copy(b, p.unread.Next(min(n, len(b))))
	if p.gate.ready != nil {
		p.gate.rest -= n
	}
	p.giveBack()
	if p.waiters > 0 {
		p.changed.Broadcast()
	}
	return n
}

// giveBack drops a large buffer that is empty. mu is held.
func (p *pipe) giveBack() {
	if p.unread.Len() == 0 && p.unread.Cap() > keepBuffer {
		p.unread = bytes.Buffer{}
	}
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.lastWrite != nil:
			close(p.lastWrite)
			runtime.Goexit()
		case p.writerClosed || p.readerClosed:
			return 0, opError("write", io.ErrClosedPipe)
		case p.writeDeadline.passed:
			return 0, opError("write", os.ErrDeadlineExceeded)
		case p.gate.ready != nil && p.merges(b):
			return len(b), nil
		case p.unread.Len() < pipeLimit:
			p.unread.Write(b)
			p.wakeReader()
			if p.gate.ready != nil && p.gate.rest == 0 && firstMessage(p.unread.Bytes()) > 0 {
				p.gate.ring()
			}
			return len(b), nil
		}
		p.waiters++
		p.changed.Wait()
		p.waiters--
	}
}

// wakeReader wakes a waiting read if there is something for it. mu is held.
func (p *pipe) wakeReader() {
	if p.readers > 0 && p.readable() > 0 {
		p.changed.Broadcast()
	}
}

// idle waits until the reader has taken everything and waits for more, or one
// end is closed. It reports whether the pipe is still open.
func (p *pipe) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters++
	defer func() { p.waiters-- }()
	for !p.writerClosed && !p.readerClosed && (p.readers == 0 || p.unread.Len() > 0) {
		p.changed.Wait()
	}
	return !p.writerClosed && !p.readerClosed
}

// opError makes err a net.Error: zmq4 forgets a peer only on one of those that
// is no timeout, or on a plain io.EOF.
func opError(op string, err error) error { return &net.OpError{Op: op, Net: scheme, Err: err} }

func (p *pipe) closed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writerClosed || p.readerClosed
}

func (p *pipe) closeWriter() { p.close(&p.writerClosed) }

// closeReader also drops what was not read: nobody will come for it.
func (p *pipe) closeReader() { p.close(&p.readerClosed) }

func (p *pipe) close(end *bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*end = true
	if p.readerClosed {
		p.unread = bytes.Buffer{}
	}
	p.wakeAll()
}

// wakeAll wakes whoever waits for anything here. mu is held.
func (p *pipe) wakeAll() {
	p.changed.Broadcast()
	if p.gate.ready != nil {
		p.gate.ring()
	}
}

// endWriter makes the goroutine that writes next exit in its write, and
// returns a channel that is closed when it does.
func (p *pipe) endWriter() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastWrite = make(chan struct{})
	return p.lastWrite
}

// endReader makes the goroutine that waits in a read exit there.
func (p *pipe) endReader() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noReader = true
	p.changed.Broadcast()
}

func (p *pipe) setReadDeadline(t time.Time)  { p.setDeadline(&p.readDeadline, t) }
func (p *pipe) setWriteDeadline(t time.Time) { p.setDeadline(&p.writeDeadline, t) }

func (p *pipe) setDeadline(d *deadline, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.passed = nil, false
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		d.passed = true
	default:
		var timer *time.Timer
		timer = time.AfterFunc(wait, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if d.timer == timer { // else it was set anew while this waited for mu
				d.passed = true
				p.changed.Broadcast()
			}
		})
		d.timer = timer
	}
	p.changed.Broadcast()
}
