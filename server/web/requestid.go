package web

import (
	"net/http"
)

// requestID is the X-Request-ID that a client or a proxy gave a request, nil if
// that is none that can be shown. It goes into the answer and into log lines.
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

// idOf is a request's id as an attribute of a log line.
func idOf(r *http.Request) []any {
	if id := requestID(r); id != nil {
		return []any{"id", id[0]}
	}
	return nil
}
