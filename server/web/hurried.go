package web

import (
	"net/http"
	"time"
)

// hurried is a ResponseWriter of HTTP/2 whose writes fail if the client does not read. On
// HTTP/1.1 package conns sees to that; here many answers share a connection, and one of
// them may stand still while the others flow.
type hurried struct {
	http.ResponseWriter
}

// readWithin is how long a client may take to make room for a write.
const readWithin = 20 * time.Second

// Hurried returns w, or for HTTP/2 a writer to use in its place.
func Hurried(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if r.ProtoMajor < 2 {
		return w
	}
	return hurried{w}
}

// Unwrap is called by http.ResponseController.
func (h hurried) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h hurried) Write(b []byte) (int, error) {
	h.readBy(time.Now().Add(readWithin))
	return h.ResponseWriter.Write(b)
}

// FlushError is called by http.ResponseController. A deadline of HTTP/2 resets the stream
// when it is over, whether something is being written or not. So it ends when all is
// written: the next write may come much later.
func (h hurried) FlushError() error {
	h.readBy(time.Now().Add(readWithin))
	err := http.NewResponseController(h.ResponseWriter).Flush()
	if err == nil {
		h.readBy(time.Time{})
	}
	return err
}

// readBy sets the write deadline. If that fails, so does the write.
func (h hurried) readBy(t time.Time) {
	_ = http.NewResponseController(h.ResponseWriter).SetWriteDeadline(t)
}
