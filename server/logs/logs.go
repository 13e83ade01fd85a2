// Package logs writes log lines for programs that must not wait for whoever
// reads them: a pipe that is full, or closed, costs lines and nothing else.
package logs

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
	lastWait  = time.Second // of Close, for whoever reads
)

// Stack is the key of a stack trace, which may be longer than other values.
const Stack = "stack"

// Handler is a [slog.Handler] that never blocks. Lines wait in a queue of 1 MiB
// and are dropped when it is full, or when they cannot be written. The next line
// that can be written is followed by one that tells how many were lost.
type Handler struct {
	slog.Handler
	queue *queue
}

// New returns a handler that writes to w, as JSON or else as text, what has the
// level. Values are cut to some 200 bytes. Close it after the last line.
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

// Dropped is how many lines were lost so far.
func (h *Handler) Dropped() int64 {
	h.queue.mu.Lock()
	defer h.queue.mu.Unlock()
	return h.queue.dropped
}

// Close writes what waits, for at most a second: nobody may be reading. Lines
// that come later are dropped.
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

// short is a ReplaceAttr: what strangers send must not fill the disk.
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

// Cut shortens a text to at most so many bytes and an ellipsis.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// queue is an [io.Writer] that hands lines to a goroutine, which alone waits for
// whoever reads.
type queue struct {
	to    io.Writer
	lost  func(n int64) []byte // the line that tells of n lost ones
	wake  chan struct{}
	ended chan struct{} // closed when run returns

	mu      sync.Mutex // guards the rest
	lines   []byte     // whole ones
	dropped int64
	closed  bool
}

// Write takes one line, or drops it. It keeps nothing of it otherwise.
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
	default: // it is awake
	}
}

// run writes until the queue is closed and empty.
func (q *queue) run() {
	defer close(q.ended)
	var lines []byte
	told := int64(0) // of those that were dropped
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

// take returns the lines that wait, and leaves an empty slice for the next.
func (q *queue) take(empty []byte) (lines []byte, dropped int64, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, q.lines = q.lines, empty
	return lines, q.dropped, q.closed
}

// write tells whether it could write the lines. Those that it could not are
// lost: whoever is to read them may never come back.
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
