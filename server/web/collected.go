package web

import "net/http"

// Collected is a ResponseWriter that keeps the answer, to be sent later.
type Collected struct {
	Status int
	Body   []byte

	header     http.Header
	compressor *Compressor
}

// Collect returns an answer that begins with the headers h, which are copied. If c is not nil
// it compresses the answer, see [CompressorFor].
func Collect(h http.Header, c *Compressor) *Collected {
	own := make(http.Header, len(h)+4)
	for name, values := range h {
		own[name] = values[:len(values):len(values)]
	}
	return &Collected{header: own, compressor: c}
}

// Header implements [http.ResponseWriter].
func (c *Collected) Header() http.Header { return c.header }

// WriteHeader implements [http.ResponseWriter].
func (c *Collected) WriteHeader(status int) { c.Status = status }

// Write implements [http.ResponseWriter]. It keeps the first b without a copy, so b must not
// change.
func (c *Collected) Write(b []byte) (int, error) {
	if c.Body == nil {
		c.Body = b[:len(b):len(b)]
	} else {
		c.Body = append(c.Body, b...)
	}
	return len(b), nil
}
