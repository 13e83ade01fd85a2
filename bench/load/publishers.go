package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Publishers publish over a connection each. A message waits for none before
// it: its request is written behind theirs (pipelined), so order holds and a
// slow target only makes the answers late.
type Publishers struct {
	config *Config
	lines  []*line
	ended  sync.WaitGroup

	text     []byte
	sent     int
	progress chan struct{} // has one when there was an answer
}

// line is one publisher's connection.
type line struct {
	conn     net.Conn
	progress chan struct{}

	queueMu sync.Mutex
	queue   []byte        // requests not written yet
	ready   chan struct{} // has one when queue has something
	end     sync.Once     // closes ready

	answered atomic.Int64 // its first so many messages have an answer
	refused  []bool       // of those, which were not taken; index is the message's place on this line
	problem  atomic.Pointer[string]
}

// NewPublishers connects. Close ends them.
func NewPublishers(config *Config) (*Publishers, error) {
	p := &Publishers{config: config, progress: make(chan struct{}, 1)}
	for range max(config.Publishers, 1) {
		conn, err := net.DialTimeout("tcp", config.Addr.String(), connectTimeout)
		if err != nil {
			p.Close()
			return nil, explain(err)
		}
		n := config.Messages/max(config.Publishers, 1) + 1
		l := &line{conn: conn, progress: p.progress, ready: make(chan struct{}, 1), refused: make([]bool, n)}
		p.lines = append(p.lines, l)
		p.ended.Go(l.write)
		p.ended.Go(l.read)
	}
	return p, nil
}

// Publish sends a message and returns at once. Messages come in order: 0, 1, 2.
func (p *Publishers) Publish(message int, intended time.Duration) {
	config, l := p.config, p.lines[message%len(p.lines)]
	p.sent++
	p.text = AppendText(p.text[:0], config.Nonce, Stamp{message, intended}, config.Size)
	l.queueMu.Lock()
	l.queue = config.Dialect.AppendPublish(l.queue, config.Host, config.Channel, p.text)
	l.queueMu.Unlock()
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// Await waits until all that was sent has an answer, at most until limit.
func (p *Publishers) Await(limit time.Duration) {
	end := time.After(limit)
	for p.answered() < p.sent {
		select {
		case <-p.progress:
		case <-end:
			return
		}
	}
}

func (p *Publishers) answered() int {
	n := int64(0)
	for _, l := range p.lines {
		n += l.answered.Load()
	}
	return int(n)
}

// Accepted tells whether the target has said yes to a message.
func (p *Publishers) Accepted(message int) bool {
	l, place := p.lines[message%len(p.lines)], message/len(p.lines)
	return int64(place) < l.answered.Load() && !l.refused[place]
}

// Problem is an example of what went wrong, "" if nothing did.
func (p *Publishers) Problem() string {
	for _, l := range p.lines {
		if problem := l.problem.Load(); problem != nil {
			return *problem
		}
	}
	return ""
}

// Close ends the connections and waits. It may be called again.
func (p *Publishers) Close() {
	for _, l := range p.lines {
		l.conn.Close()
		l.end.Do(func() { close(l.ready) })
	}
	p.ended.Wait()
}

func (l *line) write() {
	var out []byte
	for range l.ready {
		l.queueMu.Lock()
		out, l.queue = l.queue, out[:0]
		l.queueMu.Unlock()
		if _, err := l.conn.Write(out); err != nil {
			l.fail("publishing ended: " + err.Error())
			return
		}
	}
}

func (l *line) read() {
	r := bufio.NewReaderSize(l.conn, 64<<10)
	for {
		response, err := next(r)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			l.fail("publishing ended: " + err.Error())
			return
		}
		place := l.answered.Load()
		if place == int64(len(l.refused)) {
			l.fail("the target answered more often than it was asked")
			return
		}
		if response.Status >= 300 {
			l.refused[place] = true
			l.fail(fmt.Sprintf("a message was answered with %d: %.200s", response.Status, response.Body))
		}
		l.answered.Add(1)
		select {
		case l.progress <- struct{}{}:
		default:
		}
	}
}

// next reads one response, which lives until the next call.
func next(r *bufio.Reader) (Response, error) {
	if _, err := r.Peek(1); err != nil {
		return Response{}, err
	}
	for {
		b, _ := r.Peek(r.Buffered())
		response, length, err := ReadResponse(b)
		if !errors.Is(err, ErrIncomplete) {
			r.Discard(length)
			return response, err
		}
		if _, err := r.Peek(len(b) + 1); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return Response{}, err
		}
	}
}

func (l *line) fail(problem string) { l.problem.CompareAndSwap(nil, &problem) }
