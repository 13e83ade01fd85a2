package web

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Values of headers. All answers share them, which saves allocations: do not change them.
var (
	JSON   = []string{"application/json"}
	Text   = []string{"text/plain; charset=utf-8"}
	Closed = []string{"close"} // for Connection

	noStore = []string{"no-store"}
	nosniff = []string{"nosniff"}
	lineEnd = []byte("\n")
)

// WriteJSON answers with a value as JSON and a newline. Its errors are those of [Write]
// and of json.Marshal.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return WriteBody(w, status, append(body, '\n'))
}

// WriteBody is [Write] for JSON.
func WriteBody(w http.ResponseWriter, status int, body []byte) error {
	return Write(w, status, JSON, body)
}

// WriteLine is WriteBody with a newline at the end, for people at a terminal. It does not
// copy the body to add that.
func WriteLine(w http.ResponseWriter, body []byte) error {
	err := WriteBody(w, http.StatusOK, body)
	if err == nil {
		err = WriteBody(w, http.StatusOK, lineEnd)
	}
	return err
}

// Write writes an answer, or the next part of one that has begun: then the status and the
// content type have no effect. Its error is an [ErrAnswered].
func Write(w http.ResponseWriter, status int, contentType []string, body []byte) error {
	if h := w.Header(); !begun(h) {
		Fresh(h)["Content-Type"] = contentType
		w.WriteHeader(status)
	}
	if _, err := w.Write(body); err != nil {
		return errors.Join(ErrAnswered, err)
	}
	return nil
}

// WriteHeartbeat writes a newline, which JSON allows before a value, and sends it at
// once. It begins the answer if that has not begun, and tells proxies not to hold it
// back. Its error is an [ErrAnswered].
func WriteHeartbeat(w http.ResponseWriter) error {
	w.Header().Set("X-Accel-Buffering", "no")
	if err := WriteBody(w, http.StatusOK, lineEnd); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return errors.Join(ErrAnswered, err)
	}
	return nil
}

// Fresh sets the headers of every answer that is no file: no cache may store it, and no
// browser may guess another content type. They are set when the answer is written, so
// that a waiting poll holds no memory for them. It returns h.
func Fresh(h http.Header) http.Header {
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = nosniff
	return h
}

// begun tells whether an answer has begun: every answer sets this header first.
func begun(h http.Header) bool { return len(h["Cache-Control"]) > 0 }
