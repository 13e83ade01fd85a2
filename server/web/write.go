package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// Values of headers. Answers share them, which saves allocations: do not change them.
var (
	JSON   = []string{"application/json"}
	Text   = []string{"text/plain; charset=utf-8"}
	Closed = []string{"close"} // for Connection

	noStore = []string{"no-store"}
	asItIs  = []string{"no-store, no-transform"}
	nosniff = []string{"nosniff"}
	lineEnd = []byte("\n")

	unbuffered = []string{"no"}
)

// WriteJSON answers with a value as JSON and a newline. Its errors are those of [Write] and
// of json.Marshal.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return WriteBody(w, status, append(body, '\n'))
}

// WriteBody answers with JSON, which must be all of the answer or its end. A long enough
// answer is compressed if the client accepts that, see [Compressor]. The body must not be
// changed afterwards. Its errors are those of [Write].
func WriteBody(w http.ResponseWriter, status int, body []byte) error {
	if len(body) >= minCompressed {
		if compressed := encode(w, body); compressed != nil {
			body = compressed
		}
	}
	return Write(w, status, JSON, body)
}

// WriteText is WriteBody for a text in parts. It copies them only to compress them, because
// an answer to a slow client is held for long.
func WriteText(w http.ResponseWriter, parts ...string) error {
	compressed := encodeText(w, parts)
	if err := Write(w, http.StatusOK, Text, compressed); err != nil || compressed != nil {
		return err
	}
	for _, part := range parts {
		if _, err := io.WriteString(w, part); err != nil {
			return errors.Join(ErrAnswered, err)
		}
	}
	return nil
}

// WriteLine writes JSON with a newline at the end, for people at a terminal. It does not copy
// the body for that. It does not compress it either, because heartbeats may have been sent
// before.
func WriteLine(w http.ResponseWriter, body []byte) error {
	err := Write(w, http.StatusOK, JSON, body)
	if err == nil {
		err = Write(w, http.StatusOK, JSON, lineEnd)
	}
	return err
}

// Write writes an answer, or the next part of one. The status and the content type matter for
// the first part only. Its error is an [ErrAnswered].
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

// WriteHeartbeat writes a newline, which JSON allows before a value, and flushes it. It
// begins the answer if needed, with headers that tell proxies not to buffer it. Its error is
// an [ErrAnswered].
func WriteHeartbeat(w http.ResponseWriter) error {
	if h := w.Header(); !begun(h) {
		FreshBitByBit(h)["Content-Type"] = JSON
		w.WriteHeader(http.StatusOK)
	}
	if err := Write(w, http.StatusOK, JSON, lineEnd); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return errors.Join(ErrAnswered, err)
	}
	return nil
}

// Fresh sets the headers of every answer but files: no cache may store the answer, and no
// browser may guess another content type. Set them when the answer is written, so that a
// waiting poll takes no memory for them. It returns h.
func Fresh(h http.Header) http.Header {
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = nosniff
	return h
}

// FreshBitByBit is Fresh for an answer that is sent in parts: no proxy may buffer it, not
// even to compress it.
func FreshBitByBit(h http.Header) http.Header {
	Fresh(h)["X-Accel-Buffering"] = unbuffered
	h["Cache-Control"] = asItIs
	return h
}

// begun tells whether an answer has begun: every answer sets this header first.
func begun(h http.Header) bool { return len(h["Cache-Control"]) > 0 }
