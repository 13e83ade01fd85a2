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

// file is the page or a static file.
type file struct {
	contentType       string
	plain, compressed form // compressed has no body if there is none, or none that is smaller
	varies            bool // the form depends on what the client accepts
	runs              bool // it may be a document or a worker, which run scripts and load more
}

// form is a file in one encoding. The ETag differs between the encodings, because it
// stands for the very bytes: a cache must not join parts of the one with the other.
type form struct {
	body []byte
	etag string
}

// newFile returns a file without a compressed form. The name tells its content type.
func newFile(name string, body []byte) *file {
	contentType := mime.TypeByExtension(path.Ext(name))
	if contentType == "" {
		contentType = http.DetectContentType(body)
	}
	return &file{contentType: contentType, plain: newForm(body), runs: runs.MatchString(contentType)}
}

var runs = regexp.MustCompile("html|svg|javascript")

func newForm(body []byte) form {
	sum := sha256.Sum256(body)
	return form{body, `"` + hex.EncodeToString(sum[:8]) + `"`}
}

// policy is the Content-Security-Policy of documents and workers. The page runs scripts
// only from this server, and none that somebody wrote into a message. It connects only to
// this server, and no other page may show it in a frame.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// serve answers with the file; net/http handles 304 and ranges.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Content-Type-Options"] = nosniff
	if f.runs {
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
	}
	h.Set("Cache-Control", "no-cache") // a cache asks each time, which the ETag makes cheap
	h.Set("Content-Type", f.contentType)
	form := f.choose(h, r)
	h.Set("ETag", form.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(form.body))
}

// choose returns the form that the client gets, and sets the headers that say so.
func (f *file) choose(h http.Header, r *http.Request) form {
	if f.varies {
		vary(h)
	}
	// Ranges are of the plain form: nobody can unpack a part of the other by itself.
	if f.compressed.body == nil || r.Header["Range"] != nil || !acceptsGzip(r.Header["Accept-Encoding"]) {
		return f.plain
	}
	h["Content-Encoding"] = gzipped
	if r.Header["If-Match"] == nil { // net/http may answer that with a 412, which has no body
		h.Set("Content-Length", strconv.Itoa(len(f.compressed.body))) // net/http leaves it out of encoded answers
	}
	return f.compressed
}
