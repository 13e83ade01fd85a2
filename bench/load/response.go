package load

import (
	"bytes"
	"errors"
	"strconv"
)

// Response is an HTTP/1.1 response. Head and Body are parts of the bytes it
// was read from and live as long as those.
type Response struct {
	Status int
	Head   []byte // the header lines, without the status line
	Body   []byte // without chunk headers
}

var (
	// ErrIncomplete means that more bytes must come first.
	ErrIncomplete = errors.New("the response is not complete yet")
	errMalformed  = errors.New("the target does not answer in HTTP/1.1 with a length or in chunks")
)

// ReadResponse reads the response at the beginning of b and returns its length.
// Chunks are put together in place, so b must not be read again after success.
func ReadResponse(b []byte) (r Response, length int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > 64<<10 {
			return r, 0, errMalformed
		}
		return r, 0, ErrIncomplete
	}
	head := b[:end+2]
	line := bytes.IndexByte(head, '\n') + 1
	if line < 13 || !bytes.HasPrefix(head, []byte("HTTP/1.")) {
		return r, 0, errMalformed
	}
	if r.Status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return r, 0, errMalformed
	}
	r.Head = head[line:]
	start := end + 4
	if r.Status == 204 || r.Status == 304 {
		return r, start, nil
	}
	if value := Field(r.Head, "Content-Length"); value != nil {
		n, err := strconv.Atoi(string(value))
		if err != nil || n < 0 {
			return r, 0, errMalformed
		}
		if len(b) < start+n {
			return r, 0, ErrIncomplete
		}
		r.Body = b[start : start+n]
		return r, start + n, nil
	}
	if bytes.EqualFold(Field(r.Head, "Transfer-Encoding"), []byte("chunked")) {
		body, n, err := joinChunks(b[start:])
		r.Body = body
		return r, start + n, err
	}
	return r, 0, errMalformed
}

// joinChunks returns the body in b and the length of its chunked form. It
// changes b only when the body is complete.
func joinChunks(b []byte) (body []byte, length int, err error) {
	var sizes [64]int // of the chunks, on the stack for any usual answer
	chunks, at := sizes[:0], 0
	for {
		line := bytes.IndexByte(b[at:], '\n')
		if line < 0 {
			return nil, 0, ErrIncomplete
		}
		digits, _, _ := bytes.Cut(bytes.TrimRight(b[at:at+line], "\r"), []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 31)
		if err != nil {
			return nil, 0, errMalformed
		}
		at += line + 1
		if len(b) < at+int(size)+2 {
			return nil, 0, ErrIncomplete
		}
		if size == 0 {
			break // no server here sends trailers
		}
		chunks = append(chunks, at, int(size))
		at += int(size) + 2
	}
	for i := 0; i < len(chunks); i += 2 {
		from := chunks[i]
		body = append(b[:len(body)], b[from:from+chunks[i+1]]...)
	}
	return body, at + 2, nil
}

// Field returns the value of a header field, nil if there is none.
func Field(head []byte, name string) []byte {
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\r\n"))
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return bytes.TrimSpace(line[len(name)+1:])
		}
		head = rest
	}
	return nil
}
