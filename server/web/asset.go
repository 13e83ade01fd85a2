package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"time"
)

// asset is the page or a static file at its plain address.
type asset struct {
	contentType       string
	plain, compressed variant // compressed has no body if it would not be smaller
	varies            bool    // clients may get different forms
	runs              bool    // a document or a worker, which can run scripts and load more
}

// variant is a file in one encoding. Each form has an ETag of its own, because a cache must not
// join parts of different forms.
type variant struct {
	body []byte
	etag string
}

// newAsset returns a file without a compressed form. Its content type comes from the name.
func newAsset(name string, body []byte) *asset {
	contentType := mime.TypeByExtension(path.Ext(name))
	if contentType == "" {
		contentType = http.DetectContentType(body)
	}
	return &asset{contentType: contentType, plain: newVariant(body), runs: runs.MatchString(contentType)}
}

var runs = regexp.MustCompile("html|svg|javascript")

func newVariant(body []byte) variant {
	sum := sha256.Sum256(body)
	return variant{body, `"` + hex.EncodeToString(sum[:8]) + `"`}
}

// policy is the Content-Security-Policy of documents and workers. Scripts come from this
// server only, so none in a message runs. The page connects to this server only, and no other
// page may show it in a frame.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// serve answers with the file. net/http handles 304 and ranges.
func (f *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Content-Type-Options"] = nosniff
	if f.runs {
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
	}
	h.Set("Cache-Control", "no-cache") // a cache asks each time, which is cheap with an ETag
	h.Set("Content-Type", f.contentType)
	form := f.choose(h, r)
	h.Set("ETag", form.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(form.body))
}

// choose returns the form for the client, and sets the headers for it.
func (f *asset) choose(h http.Header, r *http.Request) variant {
	if f.varies {
		vary(h)
	}
	// Ranges are of the plain form, because a part of a compressed form cannot be decoded.
	if f.compressed.body == nil || r.Header["Range"] != nil || !acceptsGzip(r.Header["Accept-Encoding"]) {
		return f.plain
	}
	h["Content-Encoding"] = gzipped
	if r.Header["If-Match"] == nil { // otherwise net/http may answer 412, which has no body
		h.Set("Content-Length", strconv.Itoa(len(f.compressed.body))) // net/http omits it for encoded answers
	}
	return f.compressed
}
