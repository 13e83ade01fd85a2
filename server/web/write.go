package web

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Header values that answers share, so that none makes its own.
var (
	JSON   = []string{"application/json"}
	Text   = []string{"text/plain; charset=utf-8"}
	Closed = []string{"close"} // of Connection

	noStore = []string{"no-store"}
	nosniff = []string{"nosniff"}
	lineEnd = []byte("\n")
)

// WriteJSON answers with a value and a newline.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return WriteBody(w, status, append(body, '\n'))
}

// WriteBody answers with JSON, or goes on with it.
func WriteBody(w http.ResponseWriter, status int, body []byte) error {
	return Write(w, status, JSON, body)
}

// WriteLine writes JSON and ends the line, for people at a terminal.
func WriteLine(w http.ResponseWriter, body []byte) error {
	err := WriteBody(w, http.StatusOK, body)
	if err == nil {
		err = WriteBody(w, http.StatusOK, lineEnd)
	}
	return err
}

// Write writes an answer, or goes on with one that has begun. Its error is
// ErrAnswered: nobody can be told.
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

// WriteHeartbeat begins a JSON answer, if it has not begun, and adds a newline, which
// JSON allows before a value. A proxy should send it on at once.
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

// Fresh marks an answer that nobody on the way may keep. What it says it is, it is: no
// browser should guess. A poll makes its header when it is answered, so that it holds
// none while it waits.
func Fresh(h http.Header) http.Header {
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = nosniff
	return h
}

// begun tells whether an answer has begun: every one says that first.
func begun(h http.Header) bool { return len(h["Cache-Control"]) > 0 }
