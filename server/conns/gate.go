package conns

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// gate reads requests of which it is certain that net/http's server would serve them, as what
// they are taken for here. It answers nothing: net/http has all the rest.
type gate struct {
	source bytes.Reader
	reader *bufio.Reader
	known  known
}

func newGate() *gate { return &gate{reader: bufio.NewReaderSize(nil, MaxHeader), known: newKnown()} }

var headEnd = []byte("\r\n\r\n")

// request reads the request at the beginning of b: n bytes. It is nil if there is none that
// is a whole GET without a body, beyond doubt. It is good until the next call.
func (g *gate) request(b []byte) (r *http.Request, n int) {
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

// isPlainGet tells whether a request is one that can only be read in one way. Its Host is
// checked as net/http's server does; an address with a host in it would be in place of that.
func isPlainGet(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Proto == "HTTP/1.1" && strings.HasPrefix(r.RequestURI, "/") &&
		r.Host != "" && r.URL.Host == "" && httpguts.ValidHostHeader(r.Host) &&
		r.ContentLength == 0 && len(r.TransferEncoding) == 0 &&
		len(r.Header["Expect"]) == 0 && len(r.Header["Upgrade"]) == 0 && len(r.Header["Trailer"]) == 0
}

// areValid tells whether net/http's server takes these headers: http.ReadRequest takes more.
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
