package stream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"pubsub/server/web"
)

// handlerSink is the [sink] of a stream whose connection cannot be taken over, as with HTTP/2. The
// goroutine of the handler writes what others hand to it.
type handlerSink struct {
	out     output
	queue   chan []byte
	waiting atomic.Int64  // bytes in the queue
	waits   chan []byte   // from Write
	written chan error    // the result of Write
	over    chan struct{} // closed by Close
	left    func()        // called when all is written; set by Close

	mu       sync.Mutex // guards returned, and is held while a deadline is set
	returned bool       // the handler has returned, so out must not be used
}

// output is the destination of a handlerSink.
type output interface {
	io.Writer
	// Flush sends what is buffered.
	Flush() error
	SetWriteDeadline(t time.Time) error
	// CloseWrite tells the client that nothing more comes.
	CloseWrite() error
	Close() error
}

// The queue is bounded. A stream that has more to read goes on from its place in the log.
const (
	maxQueue      = 16
	maxQueueBytes = 32 << 10
)

// hand makes the sink of a stream that keeps its goroutine. For a WebSocket, it hijacks the
// connection: write head first, and read said in another goroutine. Both are nil for other
// ways.
func hand(w http.ResponseWriter, way Way) (h *handlerSink, head []byte, said io.Reader, err error) {
	if !way.talks() {
		w.WriteHeader(way.status())
		return newHandlerSink(response{w, http.NewResponseController(w)}), nil, nil, nil
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, nil, err
	}
	return newHandlerSink(hijacked{conn}), headOf(w.Header(), way.status()), buffered, nil
}

func newHandlerSink(out output) *handlerSink {
	return &handlerSink{
		out: out, queue: make(chan []byte, maxQueue), waits: make(chan []byte),
		written: make(chan error, 1), over: make(chan struct{}),
	}
}

// TryWrite implements sink. One goroutine at a time calls it, so the queue can only get
// shorter during the call. A nil b means CloseWrite.
func (h *handlerSink) TryWrite(b []byte) (n int, waits bool, err error) {
	if h.waiting.Load()+int64(len(b)) > maxQueueBytes {
		return 0, true, nil
	}
	select {
	case <-h.over:
		return 0, false, net.ErrClosed
	case h.queue <- b:
		h.waiting.Add(int64(len(b)))
		return len(b), false, nil
	default:
		return 0, true, nil
	}
}

func (h *handlerSink) Write(b []byte) (int, error) {
	select {
	case <-h.over:
		return 0, net.ErrClosed
	case h.waits <- b:
	}
	select {
	case <-h.over: // Close lets the client read b for a moment, or writing b has panicked
		return 0, net.ErrClosed
	case err := <-h.written:
		if err != nil {
			return 0, err
		}
		return len(b), nil
	}
}

func (h *handlerSink) CloseWrite() error {
	_, _, err := h.TryWrite(nil)
	return err
}

// Close implements sink. It gives the client a moment to read what is written already.
func (h *handlerSink) Close(left func()) {
	h.left = left
	close(h.over)
	h.hurry()
}

// hurry bounds the write that is under way.
func (h *handlerSink) hurry() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.returned {
		_ = h.out.SetWriteDeadline(time.Now().Add(closeGrace))
	}
}

// run writes what it is handed until Close is called. It calls hungUp when ctx ends because
// the client is gone, and when a write fails.
func (h *handlerSink) run(ctx context.Context, hungUp func()) {
	for done := ctx.Done(); ; {
		select {
		case b := <-h.queue:
			if err := h.writeQueue(b); err != nil {
				hungUp()
			}
		case b := <-h.waits:
			h.written <- h.writeNow(b)
		case <-done:
			if done = nil; !errors.Is(context.Cause(ctx), web.ErrDraining) { // at a drain the crowd ends the stream
				hungUp()
			}
		case <-h.over:
			_ = h.writeNow(nil)
			return
		}
	}
}

// writeNow writes the queue and then b.
func (h *handlerSink) writeNow(b []byte) error {
	select {
	case first := <-h.queue:
		if err := h.writeQueue(first); err != nil {
			return err
		}
	default:
	}
	if len(b) == 0 {
		return nil
	}
	if _, err := h.out.Write(b); err != nil {
		return err
	}
	return h.out.Flush()
}

// writeQueue writes b, which came from the queue, and the rest of the queue.
func (h *handlerSink) writeQueue(b []byte) error {
	for {
		if b == nil {
			return h.out.CloseWrite()
		}
		_, err := h.out.Write(b)
		h.waiting.Add(int64(-len(b)))
		if err != nil {
			return err
		}
		select {
		case b = <-h.queue:
		default:
			return h.out.Flush()
		}
	}
}

// release waits for Close, and ends the sink. Call it when the handler returns.
func (h *handlerSink) release() {
	<-h.over
	h.mu.Lock()
	h.returned = true
	h.mu.Unlock()
	_ = h.out.Close()
	h.left()
}

// response is the output of a stream that is not a WebSocket. It ends when the handler
// returns.
type response struct {
	http.ResponseWriter
	*http.ResponseController
}

func (response) CloseWrite() error { return nil }
func (response) Close() error      { return nil }

// hijacked is the output of a WebSocket.
type hijacked struct{ net.Conn }

func (hijacked) Flush() error { return nil }

func (c hijacked) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
