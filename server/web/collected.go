package web

import "net/http"

// Collected is an answer that waits to be sent: a ResponseWriter that keeps what it is given.
type Collected struct {
	Status int
	Body   []byte

	header     http.Header
	compressor *Compressor
}

// Collect returns an answer that has some headers already, which it does not change. It is
// compressed by c if that is not nil, see [CompressorFor].
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

// Write implements [http.ResponseWriter]. It keeps a body that comes at once, which must not
// change.
func (c *Collected) Write(b []byte) (int, error) {
	if c.Body == nil {
		c.Body = b[:len(b):len(b)]
	} else {
		c.Body = append(c.Body, b...)
	}
	return len(b), nil
}
