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
	_ = http.NewResponseController(h.ResponseWriter).SetWriteDeadline(time.Now().Add(readWithin)) // if it fails, so does the write
	return h.ResponseWriter.Write(b)
}
