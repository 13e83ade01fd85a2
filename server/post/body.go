package post

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"pubsub/server/web"
)

// BodyTimeout is how long a client may take to send a body.
const BodyTimeout = 10 * time.Second

// Body is the body of a post. Call only one of the methods that read it, and only once.
type Body struct {
	writer  http.ResponseWriter
	request *http.Request
	max     int // bytes of the message at most; 0 is no limit
}

// compact encodes a posted value as compact JSON. It refuses more than max bytes.
func compact(posted any, max int) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // the page shows it as text, so < is safe
	if err := encoder.Encode(posted); err != nil {
		return nil, web.Refuse(http.StatusBadRequest, "The message cannot be written as JSON: %v.", err)
	}
	object := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	if max > 0 && len(object) > max {
		return nil, tooLarge(max)
	}
	return object, nil
}

// leastSize returns the least size of a JSON text after compact, in bytes. It counts no white
// space, and one byte for each escape.
func leastSize(body []byte) (size int) {
	inText := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inText = !inText
		case !inText && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		case inText && c == '\\':
			if i++; i < len(body) && body[i] == 'u' {
				i += 4
			}
		}
		size++
	}
	return size
}

func tooLarge(max int) error {
	return web.Refuse(http.StatusRequestEntityTooLarge, "A message may have %d bytes. Send less at a time.", max)
}

func (b *Body) limit() {
	if limit := maxBody(b.max); limit > 0 {
		b.request.Body = http.MaxBytesReader(b.writer, b.request.Body, int64(limit))
	}
}

// byteOrderMark is put before UTF-8 by editors on Windows.
const byteOrderMark = "\ufeff"

func (b *Body) bytes() ([]byte, error) {
	if err := b.plain(); err != nil {
		return nil, err
	}
	b.limit()
	text, err := io.ReadAll(b.request.Body)
	if err != nil {
		return nil, b.failed(err)
	}
	return bytes.TrimPrefix(text, []byte(byteOrderMark)), nil
}

// plain refuses a compressed body, which could become very large.
func (b *Body) plain() error {
	coding := b.request.Header.Get("Content-Encoding")
	if coding == "" || strings.EqualFold(coding, "identity") {
		return nil
	}
	return web.Refuse(http.StatusUnsupportedMediaType, "The body has the Content-Encoding %.20q. Send it as it is, without one.", coding)
}

func (b *Body) multipart() (web.Fields, error) {
	if err := b.plain(); err != nil {
		return nil, err
	}
	b.limit()
	parts, err := b.request.MultipartReader()
	if err != nil {
		return nil, web.Refuse(http.StatusBadRequest, "The multipart form has no boundary in its Content-Type.")
	}
	form, err := parts.ReadForm(1 << 30) // limit bounds the bytes, so nothing goes to disk
	if err == nil {
		_, err = io.Copy(io.Discard, b.request.Body) // finds a body that was cut off after the form's end
	}
	if err != nil {
		return nil, b.failed(err)
	}
	return web.MultipartFields(form), nil
}

func (b *Body) failed(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(b.max)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return web.Refuse(http.StatusRequestTimeout, "The body did not arrive within %v. Send it again.", BodyTimeout)
	}
	return web.Refuse(http.StatusBadRequest, "The body ends early or is malformed. Check its length and send it again.")
}
