package web

import (
	"net/http"
)

// requestID returns the X-Request-ID of a request, for the answer and for log lines. It
// returns nil if there is none, or if it is longer than 64 bytes or not printable ASCII.
func requestID(r *http.Request) []string {
	id := r.Header["X-Request-Id"]
	if len(id) != 1 || len(id[0]) < 1 || len(id[0]) > 64 {
		return nil
	}
	for _, c := range []byte(id[0]) {
		if c <= ' ' || '~' < c {
			return nil
		}
	}
	return id
}

// idOf returns a request's id as an attribute of a log line, nil if there is none.
func idOf(r *http.Request) []any {
	if id := requestID(r); id != nil {
		return []any{"id", id[0]}
	}
	return nil
}
