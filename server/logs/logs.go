// Package logs writes log lines without waiting for their reader. If the lines go to a
// pipe that is full or closed, they are dropped, and the program goes on.
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
	maxQueued = 1 << 20     // bytes of lines that are not written yet
	maxValue  = 200         // bytes of an attribute's value
	maxStack  = 8 << 10     // bytes of the value of Stack
	lastWait  = time.Second // of Close, for the reader
)

// Stack is the key of an attribute that is a stack trace. Its value may be longer than
// others.
const Stack = "stack"

// Handler is a [slog.Handler] that never blocks. It has a queue of 1 MiB. A line is
// dropped if the queue is full, or if it cannot be written. The next line that is written
// is followed by one that says how many were dropped. It is safe for concurrent use.
type Handler struct {
	slog.Handler
	queue *queue
}

// New returns a handler that writes lines of the level or above to w, as JSON or as text.
// It cuts a value that is longer than 200 bytes, and a [Stack] at 8 KiB. Close it after
// the last line.
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

// Close waits until the queue is written, but at most a second, since nobody may read.
// Later lines are dropped.
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

// short is a ReplaceAttr. It cuts values, so that what clients send cannot fill the disk.
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

// Cut returns at most so many bytes of a text, with an ellipsis if that is not all. It
// does not cut within a character.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// queue is an [io.Writer] that only stores lines. A goroutine, run, writes them and may
// have to wait for the reader.
type queue struct {
	to    io.Writer
	lost  func(n int64) []byte // makes the line that says that n were dropped
	wake  chan struct{}
	ended chan struct{} // closed when run returns

	mu      sync.Mutex // guards the rest
	lines   []byte     // only whole lines
	dropped int64
	closed  bool
}

// Write stores a copy of one line, or drops it. The error is always nil.
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
	default: // run is to wake already
	}
}

// run writes until the queue is closed and empty.
func (q *queue) run() {
	defer close(q.ended)
	var lines []byte
	told := int64(0) // how many dropped lines have been reported
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

// take returns the stored lines, and stores the next ones in the given slice.
func (q *queue) take(empty []byte) (lines []byte, dropped int64, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, q.lines = q.lines, empty
	return lines, q.dropped, q.closed
}

// write tells whether it could write the lines. It drops those that it could not write,
// since their reader may never come back.
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
