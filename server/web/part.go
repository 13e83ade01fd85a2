package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"path"
	"strconv"

	"github.com/andybalholm/brotli"
)

// part is a static file as the page loads it, at the address with the hash. A first visit
// asks for more than thirty of them, so they have no comments, and only the headers that
// matter for something that a page includes and no cache asks for again: no ETag, no
// ranges, and no policy, which only documents and workers heed.
type part struct {
	contentType  []string
	plain        []byte
	gzip, brotli []byte // nil if that is not smaller
}

// Values of headers. Parts share them: do not change them.
var (
	forEver = []string{"max-age=31536000,immutable"} // no blank: each of 38 files has it
	module  = []string{"text/javascript"}            // which is always in UTF-8
)

// packers compress parts. Brotli is about a tenth smaller than gzip, and no slower at
// this quality; the best one would take half a second whenever the server starts.
type packers struct {
	gzip   *gzip.Writer
	brotli *brotli.Writer
}

func newPackers() packers {
	return packers{newGzip(gzip.BestCompression), brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: 6, LGWin: 16})}
}

// part returns the part that a file is. What is large is not compressed.
func (p packers) part(name, contentType string, body []byte) *part {
	made := &part{contentType: []string{contentType}, plain: body}
	switch path.Ext(name) {
	case ".js":
		made.contentType = module
		made.plain = withoutComments(body)
	case ".css":
		made.plain = withoutComments(body)
	}
	if len(body) <= maxCompressedFile {
		made.gzip = compress(p.gzip, made.plain)
		made.brotli = p.brotliOf(made.plain)
	}
	return made
}

func (p packers) brotliOf(plain []byte) []byte {
	var out bytes.Buffer
	p.brotli.Reset(&out)
	_, _ = p.brotli.Write(plain) // a Buffer takes all
	_ = p.brotli.Close()
	if out.Len() >= len(plain) {
		return nil
	}
	return bytes.Clone(out.Bytes()) // without room to grow
}

// serve answers with the part.
func (p *part) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"] = forEver
	h["Content-Type"] = p.contentType
	if &p.contentType[0] != &module[0] { // a browser takes a module under its own type only
		h["X-Content-Type-Options"] = nosniff
	}
	body := p.choose(h, r.Header["Accept-Encoding"])
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // if it fails, nobody can be told
}

// choose returns the form that the client gets, and sets the headers that say so.
func (p *part) choose(h http.Header, accepted []string) []byte {
	if p.gzip != nil || p.brotli != nil {
		vary(h)
	}
	switch {
	case p.brotli != nil && acceptsBrotli(accepted):
		h["Content-Encoding"] = brotlied
		return p.brotli
	case p.gzip != nil && acceptsGzip(accepted):
		h["Content-Encoding"] = gzipped
		return p.gzip
	}
	return p.plain
}
