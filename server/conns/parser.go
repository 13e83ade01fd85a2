package conns

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// parser parses requests, but only those that net/http's server would certainly accept and read
// in the same way. net/http serves all others, so the parser answers nothing.
type parser struct {
	source bytes.Reader
	reader *bufio.Reader
	known  known
}

func newParser() *parser {
	return &parser{reader: bufio.NewReaderSize(nil, MaxHeader), known: newKnown()}
}

var headEnd = []byte("\r\n\r\n")

// request parses the request at the beginning of b, which is n bytes long. It returns nil
// unless this is a whole GET without a body, beyond doubt. The request is valid until the
// next call.
func (g *parser) request(b []byte) (r *http.Request, n int) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return nil, 0
	}
	n = end + len(headEnd)
	if r := g.known.request(b[:n]); r != nil {
		return r, n
	}
	g.source.Reset(b[:n])
	g.reader.Reset(&g.source)
	r, err := http.ReadRequest(g.reader)
	if err != nil || g.reader.Buffered() > 0 || g.source.Len() > 0 || !isPlainGet(r) || !areValid(r.Header) {
		return nil, 0
	}
	g.known.learn(b[:n], r)
	return r, n
}

// isPlainGet tells whether a request can be read in one way only. Its Host is checked as
// net/http's server does. An absolute address is refused, because its host would replace the
// Host header.
func isPlainGet(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Proto == "HTTP/1.1" && strings.HasPrefix(r.RequestURI, "/") &&
		r.Host != "" && r.URL.Host == "" && httpguts.ValidHostHeader(r.Host) &&
		r.ContentLength == 0 && len(r.TransferEncoding) == 0 &&
		len(r.Header["Expect"]) == 0 && len(r.Header["Upgrade"]) == 0 && len(r.Header["Trailer"]) == 0
}

// areValid tells whether net/http's server accepts these headers. http.ReadRequest accepts
// more.
func areValid(h http.Header) bool {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return false
			}
		}
	}
	return true
}
