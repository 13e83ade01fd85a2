package conns

import (
	"bufio"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// reply is the ResponseWriter of a request that the loop serves. The answer is byte by byte
// that of net/http, as the body goes through a buffer of the same size. But there are no
// trailers, and no answers with a status of 1xx.
//
// A small answer is kept until the handler returns or flushes. Of a large one, most is sent
// while the handler waits, as with net/http: what the handler holds for the answer must not
// be given back too early.
type reply struct {
	request *loopRequest
	header  http.Header // nil until the handler calls Header
	begun   bool        // WriteHeader was called
	about   head        // set by WriteHeader
	body    *bufio.Writer
	headed  bool   // the head is in out, or sent
	chunks  bool   // the body comes in chunks
	closes  bool   // the head says that the connection closes
	wrote   int64  // bytes of the body
	out     []byte // not yet sent
}

// Header implements http.ResponseWriter.
func (p *reply) Header() http.Header {
	if p.header == nil {
		p.header = make(http.Header)
	}
	return p.header
}

// WriteHeader implements http.ResponseWriter.
func (p *reply) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if p.begun || p.request.over.Load() || status < 200 {
		return
	}
	p.begun = true
	p.about = head{status: status, header: p.header.Clone(), length: declared(p.header)}
}

// Write implements http.ResponseWriter.
func (p *reply) Write(b []byte) (int, error) {
	if err := p.begin(len(b)); err != nil || len(b) == 0 {
		return 0, err
	}
	return p.body.Write(b)
}

// WriteString implements io.StringWriter.
func (p *reply) WriteString(s string) (int, error) {
	if err := p.begin(len(s)); err != nil || s == "" {
		return 0, err
	}
	return p.body.WriteString(s)
}

// bodies holds buffers of the size that net/http uses.
var bodies = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, beforeChunks) }}

// begin must be called before n bytes of the body are written.
func (p *reply) begin(n int) error {
	if p.request.over.Load() {
		return http.ErrHijacked
	}
	if !p.begun {
		p.WriteHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !allowsBody(p.about.status) {
		return http.ErrBodyNotAllowed
	}
	p.wrote += int64(n)
	if p.about.length >= 0 && p.wrote > p.about.length {
		return http.ErrContentLength
	}
	if p.body == nil {
		p.body = bodies.Get().(*bufio.Writer)
		p.body.Reset((*piece)(p))
	}
	return nil
}

// piece is a reply as the destination of its body's buffer.
type piece reply

// Write implements io.Writer.
func (p *piece) Write(b []byte) (int, error) {
	(*reply)(p).writeHead(b)
	if p.chunks {
		p.out = appendChunk(p.out, b)
	} else {
		p.out = append(p.out, b...)
	}
	if len(p.out) > keptAnswer {
		return len(b), (*reply)(p).send()
	}
	return len(b), nil
}

// keptAnswer is how much of an answer is kept at most while the handler runs.
const keptAnswer = 16 << 10

// usualAnswer is the size of a buffer that most answers fit in.
const usualAnswer = 1 << 10

// writeHead writes the head, unless that was done. first is the first piece of the body.
func (p *reply) writeHead(first []byte) {
	if p.headed {
		return
	}
	p.headed = true
	p.out = make([]byte, 0, usualAnswer)
	p.about.first = first
	p.about.closes = p.request.closes
	p.about.keeps = !p.request.loop.closing.Load()
	p.out, p.chunks, p.closes = p.about.append(p.out)
	p.about.first = nil
}

// finish ends the answer. It tells whether the connection is to be closed after it.
func (p *reply) finish() (last bool) {
	if !p.begun {
		p.WriteHeader(http.StatusOK)
	}
	p.about.whole = true
	p.flushBody()
	p.writeHead(nil)
	if p.chunks {
		p.out = append(p.out, lastChunk...)
	}
	short := p.about.length >= 0 && p.about.length != p.wrote && allowsBody(p.about.status)
	p.free()
	return p.closes || short
}

func (p *reply) flushBody() {
	if p.body != nil {
		_ = p.body.Flush() // a piece never fails here
	}
}

// free returns the buffer to the pool.
func (p *reply) free() {
	if p.body != nil {
		p.body.Reset(nil)
		bodies.Put(p.body)
		p.body = nil
	}
}

// FlushError is called by http.ResponseController. It may wait.
func (p *reply) FlushError() error {
	if p.request.over.Load() {
		return http.ErrHijacked
	}
	if !p.begun {
		p.WriteHeader(http.StatusOK)
	}
	p.flushBody()
	p.writeHead(nil)
	return p.send()
}

// send sends what is kept. It may wait, and hands the loop on first.
func (p *reply) send() error {
	out := p.out
	p.out = nil
	c := p.request.conn
	n, waits, err := c.tryWrite(out)
	if err == nil && waits {
		p.request.HandOn()
		_, err = c.writeAll(out[n:])
	}
	return err
}

// Flush implements http.Flusher.
func (p *reply) Flush() { _ = p.FlushError() }

// SetReadDeadline is called by http.ResponseController. It does nothing, as there is no body
// to read.
func (p *reply) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is called by http.ResponseController.
func (p *reply) SetWriteDeadline(t time.Time) error { return p.request.conn.SetWriteDeadline(t) }
