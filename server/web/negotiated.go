package web

import (
	"net/http"

	"pubsub/server/turn"
)

// Answers from minCompressed to maxCompressed bytes are compressed for clients that ask for
// it. A shorter answer fits in one packet anyway, and a longer one takes too much CPU time.
const (
	minCompressed = 1 << 10
	maxCompressed = 64 << 10
)

func worthCompressing(size int) bool { return minCompressed <= size && size <= maxCompressed }

// negotiated is the ResponseWriter of a client that sent Accept-Encoding. The header is parsed
// only when there is an answer worth compressing.
type negotiated struct {
	http.ResponseWriter
	request *http.Request
	by      *Compressor
}

// For returns a writer whose answers are compressed if the client of r accepts that. Without
// Accept-Encoding it returns w, so that a waiting poll takes no more memory.
func (c *Compressor) For(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if len(r.Header["Accept-Encoding"]) == 0 {
		return w
	}
	return &negotiated{w, r, c}
}

// Unwrap is called by http.ResponseController.
func (a *negotiated) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// CompressorFor returns the compressor for the client of w, nil if its answers are not
// compressed.
func CompressorFor(w http.ResponseWriter) *Compressor {
	switch w := w.(type) {
	case *negotiated:
		if w.by != nil && acceptsGzip(w.request.Header["Accept-Encoding"]) {
			return w.by
		}
	case *Collected:
		return w.compressor
	}
	return nil
}

// compressorNow is CompressorFor for an answer to compress now. It hands the loop on first,
// because compressing takes a while and may wait for another request.
func compressorNow(w http.ResponseWriter) *Compressor {
	c := CompressorFor(w)
	if a, is := w.(*negotiated); is && c != nil {
		turn.HandOn(a.request.Context())
	}
	return c
}

// encode returns the body of a whole answer in gzip, and sets the headers for it. It returns
// nil if the answer has begun or is not compressed.
func encode(w http.ResponseWriter, body []byte) []byte {
	h := w.Header()
	if !worthCompressing(len(body)) || begun(h) {
		return nil
	}
	vary(h)
	return compressorNow(w).encode(h, body)
}

// encodeText is encode for a text in parts.
func encodeText(w http.ResponseWriter, parts []string) []byte {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	h := w.Header()
	if !worthCompressing(size) {
		return nil
	}
	vary(h)
	c := compressorNow(w)
	if c == nil {
		return nil
	}
	body := make([]byte, 0, size)
	for _, part := range parts {
		body = append(body, part...)
	}
	return c.encode(h, body)
}

func (c *Compressor) encode(h http.Header, body []byte) []byte {
	compressed := c.compress(body)
	if compressed != nil {
		h["Content-Encoding"] = gzipped
	}
	return compressed
}
