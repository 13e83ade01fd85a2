package web

import (
	"net/http"
	"sync"
	"time"
)

// h2Deadline is a ResponseWriter of HTTP/2 whose writes fail if the client does not read. With
// HTTP/1.1 package conns does that. With HTTP/2 many answers share a connection, and one may
// be stuck while others are not.
//
// A deadline is set only when a write takes too long: each one is a message to the goroutine
// of the connection, and three for each small write took a third of its time.
type h2Deadline struct {
	http.ResponseWriter
	late *time.Timer // nil before the first write

	mu      sync.Mutex // guards writing; held over SetWriteDeadline
	writing bool
}

// readWithin is how long a client may take to read enough for a write to end.
const readWithin = 20 * time.Second

// WithDeadline returns w, or for HTTP/2 a writer that replaces it.
func WithDeadline(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if r.ProtoMajor < 2 {
		return w
	}
	return &h2Deadline{ResponseWriter: w}
}

// Unwrap is called by http.ResponseController.
func (h *h2Deadline) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *h2Deadline) Write(b []byte) (int, error) {
	h.begin()
	defer h.end()
	return h.ResponseWriter.Write(b)
}

// FlushError is called by http.ResponseController.
func (h *h2Deadline) FlushError() error {
	h.begin()
	defer h.end()
	return http.NewResponseController(h.ResponseWriter).Flush()
}

func (h *h2Deadline) begin() {
	h.mu.Lock()
	h.writing = true
	h.mu.Unlock()
	if h.late == nil {
		h.late = time.AfterFunc(readWithin, h.fail)
	} else {
		h.late.Reset(readWithin)
	}
}

func (h *h2Deadline) end() {
	h.late.Stop()
	h.mu.Lock()
	h.writing = false
	h.mu.Unlock()
}

// fail ends a write that takes too long. If none is under way it does nothing, because the
// handler may have returned, and then its writer must not be used.
func (h *h2Deadline) fail() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writing {
		_ = http.NewResponseController(h.ResponseWriter).SetWriteDeadline(time.Now())
	}
}
