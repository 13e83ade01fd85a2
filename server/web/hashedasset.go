package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"path"
	"strconv"

	"github.com/andybalholm/brotli"
)

// hashedAsset is a static file at the address with the hash, which the page uses. A first visit
// loads more than thirty of them. So they have no comments, and only the headers that matter
// for a file that a page includes and that no cache asks for again: no ETag, no ranges, and
// no policy, which matters for documents and workers only.
type hashedAsset struct {
	contentType  []string
	plain        []byte
	gzip, brotli []byte // nil if not smaller
}

// Values of headers. Parts share them: do not change them.
var (
	forEver = []string{"max-age=31536000,immutable"} // no space, as each of 37 files has it
	module  = []string{"text/javascript"}            // which is always UTF-8
)

// packers compress parts. Brotli is about a tenth smaller than gzip, and no slower at this
// quality. The best quality would take half a second at each start.
type packers struct {
	gzip   *gzip.Writer
	brotli *brotli.Writer
}

func newPackers() packers {
	return packers{newGzip(gzip.BestCompression), brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: 6, LGWin: 16})}
}

// part returns the hashedAsset of a file. A large file is not compressed.
func (p packers) part(name, contentType string, body []byte) *hashedAsset {
	made := &hashedAsset{contentType: []string{contentType}, plain: body}
	switch path.Ext(name) {
	case ".js":
		made.contentType = module
		made.plain = stripComments(body)
	case ".css":
		made.plain = stripComments(body)
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
	_, _ = p.brotli.Write(plain) // a Buffer never fails
	_ = p.brotli.Close()
	if out.Len() >= len(plain) {
		return nil
	}
	return bytes.Clone(out.Bytes()) // a copy without spare capacity
}

// serve answers with the part.
func (p *hashedAsset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"] = forEver
	h["Content-Type"] = p.contentType
	if &p.contentType[0] != &module[0] { // a browser runs a module only if it has the right type, even without this header
		h["X-Content-Type-Options"] = nosniff
	}
	body := p.choose(h, r.Header["Accept-Encoding"])
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // if it fails, nobody can be told
}

// choose returns the form for the client, and sets the headers for it.
func (p *hashedAsset) choose(h http.Header, accepted []string) []byte {
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
