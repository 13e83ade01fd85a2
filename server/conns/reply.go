package conns

import (
	"bufio"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// reply is the ResponseWriter of a request that the loop serves. The answer is kept until the
// handler has returned or flushes it, if it is small: a handler waits until most of a large one
// is sent, as with net/http, so that what it holds for that is not given back too early. It is
// the same as net/http's, byte by byte, as the body
// goes through the same buffer; but there are no trailers, and no answers of 1xx.
type reply struct {
	served *served
	header http.Header // the handler's, nil if it has not looked at it
	begun  bool        // WriteHeader was called
	about  head        // from then on
	body   *bufio.Writer
	headed bool // the head is in out
	chunks bool
	closes bool
	wrote  int64
	out    []byte // not yet sent
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
	if p.begun || p.served.over.Load() || status < 200 {
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

// bodies has buffers as net/http has them before its chunks.
var bodies = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, beforeChunks) }}

// begin is called before n bytes of the body are written.
func (p *reply) begin(n int) error {
	if p.served.over.Load() {
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

// piece is a reply to which the next piece of the body is written.
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

// keptAnswer is how much of an answer is kept at most when the handler goes on.
const keptAnswer = 16 << 10

// usualAnswer is what most answers take at most.
const usualAnswer = 1 << 10

// writeHead writes the head, unless that was done, before the first piece of the body.
func (p *reply) writeHead(first []byte) {
	if p.headed {
		return
	}
	p.headed = true
	p.out = make([]byte, 0, usualAnswer)
	p.about.first = first
	p.about.closes = p.served.closes
	p.about.keeps = !p.served.loop.closing.Load()
	p.out, p.chunks, p.closes = p.about.append(p.out)
	p.about.first = nil
}

// finish ends the answer. It tells whether the connection is to be closed behind it.
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
		_ = p.body.Flush() // a piece takes all
	}
}

// free gives back what others can use.
func (p *reply) free() {
	if p.body != nil {
		p.body.Reset(nil)
		bodies.Put(p.body)
		p.body = nil
	}
}

// FlushError is called by http.ResponseController. It may wait.
func (p *reply) FlushError() error {
	if p.served.over.Load() {
		return http.ErrHijacked
	}
	if !p.begun {
		p.WriteHeader(http.StatusOK)
	}
	p.flushBody()
	p.writeHead(nil)
	return p.send()
}

// send sends what is kept. It may wait.
func (p *reply) send() error {
	out := p.out
	p.out = nil
	c := p.served.conn
	n, waits, err := c.tryWrite(out)
	if err == nil && waits {
		p.served.HandOn()
		_, err = c.writeAll(out[n:])
	}
	return err
}

// Flush implements http.Flusher.
func (p *reply) Flush() { _ = p.FlushError() }

// SetReadDeadline is called by http.ResponseController. There is no body to be read.
func (p *reply) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is called by http.ResponseController.
func (p *reply) SetWriteDeadline(t time.Time) error { return p.served.conn.SetWriteDeadline(t) }
