package conns

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// beforeChunks is how many bytes of a body net/http buffers. A body that fits has a
// Content-Length, a longer one comes in chunks.
const beforeChunks = 2048

// AppendAnswer appends an answer, byte by byte as net/http's server would write it for a
// handler that writes the body at once: see [head]. closes tells that the client wants the
// connection closed. The headers h may be nil.
func AppendAnswer(b []byte, status int, h http.Header, body []byte, closes bool) []byte {
	about := head{status: status, header: h, first: body, whole: len(body) <= beforeChunks, length: declared(h), keeps: true, closes: closes}
	b, chunked, _ := about.append(b)
	switch {
	case !allowsBody(status):
		return b
	case chunked:
		return append(appendChunk(b, body), lastChunk...)
	}
	return append(b, body...)
}

const lastChunk = "0\r\n\r\n"

func appendChunk(b, body []byte) []byte {
	b = strconv.AppendInt(b, int64(len(body)), 16)
	b = append(b, "\r\n"...)
	b = append(b, body...)
	return append(b, "\r\n"...)
}

// head holds what the status line and the headers of an answer are made of.
type head struct {
	status int
	header http.Header
	first  []byte // the first bytes of the body
	whole  bool   // first is the whole body
	length int64  // the Content-Length that the handler has set, -1 if none
	closes bool   // the client wants the connection closed
	keeps  bool   // the server keeps connections open
}

// append appends the head in net/http's order: the handler's headers, sorted, then those that
// the server adds. It tells whether the body comes in chunks, and whether the connection
// closes.
func (a *head) append(b []byte) (_ []byte, chunked, closes bool) {
	var omitted map[string]bool
	omit := func(names ...string) {
		if omitted == nil {
			omitted = make(map[string]bool)
		}
		for _, name := range names {
			omitted[name] = true
		}
	}
	var length, contentType, connection, encoding string
	allowed := allowsBody(a.status)
	if _, is := a.header["Content-Length"]; allowed && a.whole && !is {
		length = strconv.Itoa(len(a.first))
	}
	switch {
	case a.status == http.StatusNotModified:
		omit("Content-Type", "Content-Length", "Transfer-Encoding")
	case !allowed:
		omit("Content-Length", "Transfer-Encoding")
	case length != "" || a.length >= 0:
	default:
		omit("Content-Length")
		chunked, encoding = true, "chunked"
	}
	if _, is := a.header["Content-Type"]; allowed && !is && a.header.Get("Content-Encoding") == "" && len(a.first) > 0 {
		contentType = http.DetectContentType(a.first)
	}
	said := a.header.Get("Connection")
	closes = a.closes || !a.keeps || said == "close"
	if closes && (!a.keeps || !hasToken(said, "close")) {
		omit("Connection")
		connection = "close"
	}
	b = appendStatus(b, a.status)
	to := appender(b)
	_ = a.header.WriteSubset(&to, omitted) // an appender never fails
	b = to
	if _, is := a.header["Date"]; !is {
		b = append(b, "Date: "...)
		b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
		b = append(b, "\r\n"...)
	}
	b = appendHeader(b, "Content-Length: ", length)
	b = appendHeader(b, "Content-Type: ", contentType)
	b = appendHeader(b, "Connection: ", connection)
	b = appendHeader(b, "Transfer-Encoding: ", encoding)
	return append(b, "\r\n"...), chunked, closes
}

func appendStatus(b []byte, status int) []byte {
	text := http.StatusText(status)
	if text == "" {
		return fmt.Appendf(b, "HTTP/1.1 %03d status code %d\r\n", status, status)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, text...)
	return append(b, "\r\n"...)
}

// appendHeader appends a header, or nothing if the value is empty.
func appendHeader(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, name...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appender collects what is written to it.
type appender []byte

// Write implements io.Writer.
func (a *appender) Write(b []byte) (int, error) { *a = append(*a, b...); return len(b), nil }

// WriteString implements io.StringWriter.
func (a *appender) WriteString(s string) (int, error) { *a = append(*a, s...); return len(s), nil }

func allowsBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// declared returns the Content-Length that a handler has set, -1 if there is none.
func declared(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// wantsClose tells whether the client wants the connection closed, by net/http's rules.
func wantsClose(r *http.Request) bool {
	return r.Close || hasToken(r.Header.Get("Connection"), "close")
}

// hasToken tells whether token is one of the words of a header's value. Case does not matter.
func hasToken(value, token string) bool {
	if len(value) < len(token) {
		return false
	}
	separates := func(c rune) bool { return c == ' ' || c == ',' || c == '\t' }
	for word := range strings.FieldsFuncSeq(value, separates) {
		if len(word) == len(token) && strings.EqualFold(word, token) {
			return true
		}
	}
	return false
}
