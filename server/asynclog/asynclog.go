// Package asynclog writes log lines without waiting for their reader. If that does not read,
// lines are dropped.
package asynclog

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	maxQueued = 1 << 20     // bytes of lines that wait to be written
	maxValue  = 200         // bytes of an attribute's value
	maxStack  = 8 << 10     // bytes of the value of Stack
	lastWait  = time.Second // how long Close waits for the reader
)

// Stack is the key of an attribute with a stack trace, whose value may be longer than others.
const Stack = "stack"

// Handler is a [slog.Handler] that never blocks. It has a queue of 1 MiB. A line is dropped
// if the queue is full, or if writing it fails. After the next line that is written, one
// tells how many were dropped. Make it with [New], and close it. It is safe for concurrent
// use.
type Handler struct {
	slog.Handler
	queue *queue
}

// New returns a handler that writes lines of the level or above to w, as JSON or as text. It
// cuts values after 200 bytes, and a [Stack] after 8 KiB. Close it after the last line.
func New(w io.Writer, level slog.Level, json bool) *Handler {
	format := func(w io.Writer) slog.Handler {
		options := &slog.HandlerOptions{Level: level, ReplaceAttr: short}
		if json {
			return slog.NewJSONHandler(w, options)
		}
		return slog.NewTextHandler(w, options)
	}
	q := &queue{
		to:    w,
		lost:  func(n int64) []byte { return lostLine(format, n) },
		wake:  make(chan struct{}, 1),
		ended: make(chan struct{}),
	}
	go q.run()
	return &Handler{format(q), q}
}

// Dropped returns how many lines were dropped so far.
func (h *Handler) Dropped() int64 {
	h.queue.mu.Lock()
	defer h.queue.mu.Unlock()
	return h.queue.dropped
}

// Close waits until the queue is written, but for a second at most. Later lines are dropped.
func (h *Handler) Close() {
	h.queue.mu.Lock()
	h.queue.closed = true
	h.queue.mu.Unlock()
	h.queue.awake()
	limit := time.NewTimer(lastWait)
	defer limit.Stop()
	select {
	case <-h.queue.ended:
	case <-limit.C:
	}
}

func lostLine(format func(io.Writer) slog.Handler, n int64) []byte {
	var line bytes.Buffer
	slog.New(format(&line)).Error("log lines were dropped, nobody took them in", "lines", n)
	return line.Bytes()
}

// short is a ReplaceAttr that cuts values, so that clients cannot fill the disk.
func short(_ []string, a slog.Attr) slog.Attr {
	most := maxValue
	if a.Key == Stack {
		most = maxStack
	}
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Cut(a.Value.String(), most))
	case slog.KindAny:
		if text := fmt.Sprint(a.Value.Any()); len(text) > most {
			a.Value = slog.StringValue(Cut(text, most))
		}
	}
	return a
}

// Cut returns at most most bytes of a text, with an ellipsis if some are missing. It does not
// cut within a character.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// queue is an [io.Writer] that stores lines. A goroutine, run, writes them, and may wait for
// the reader.
type queue struct {
	to    io.Writer
	lost  func(n int64) []byte // makes the line that tells that n lines were dropped
	wake  chan struct{}
	ended chan struct{} // closed when run returns

	mu      sync.Mutex // guards the fields below; no other lock is taken under it
	lines   []byte     // whole lines only
	dropped int64
	closed  bool
}

// Write stores a copy of a line, or drops the line. The error is always nil.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.lines)+len(line) > maxQueued {
		q.dropped++
		return len(line), nil
	}
	q.lines = append(q.lines, line...)
	q.awake()
	return len(line), nil
}

func (q *queue) awake() {
	select {
	case q.wake <- struct{}{}:
	default: // run wakes already
	}
}

// run writes lines until the queue is closed and empty.
func (q *queue) run() {
	defer close(q.ended)
	var lines []byte
	told := int64(0) // how many dropped lines were reported
	for range q.wake {
		var dropped int64
		var closed bool
		lines, dropped, closed = q.take(lines[:0])
		if q.write(lines) && dropped > told {
			if _, err := q.to.Write(q.lost(dropped - told)); err == nil {
				told = dropped
			}
		}
		if closed {
			return
		}
	}
}

// take returns the stored lines. The next ones are stored in empty.
func (q *queue) take(empty []byte) (lines []byte, dropped int64, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, q.lines = q.lines, empty
	return lines, q.dropped, q.closed
}

// write writes lines, and tells whether it could. If not the rest is dropped, because the
// reader may never come back.
func (q *queue) write(lines []byte) bool {
	if len(lines) == 0 {
		return true
	}
	n, err := q.to.Write(lines)
	if err == nil {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += int64(bytes.Count(lines[n:], []byte("\n")))
	return false
}
