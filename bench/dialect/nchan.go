package dialect

import (
	"bytes"

	"pubsub/bench/load"
)

// nchan is the long poll of the nginx module: a message's id is its time and
// its tag, given and asked for in header fields. An answer has one message, or
// with another location's setting all there are.
type nchan struct{ path string }

func (nchan) Remembers() bool { return true }

// AppendPoll splits the cursor at its newline into time and tag.
func (n nchan) AppendPoll(b []byte, host, channel string, cursor []byte) []byte {
	b = append(append(append(b, "GET "...), n.path...), channel...)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), host...)
	if time, tag, found := bytes.Cut(cursor, []byte("\n")); found {
		b = append(append(b, "\r\nIf-Modified-Since: "...), time...)
		b = append(append(b, "\r\nIf-None-Match: "...), tag...)
	}
	return append(b, "\r\n\r\n"...)
}

func (nchan) AppendCursor(b, old, head, _ []byte) []byte {
	time, tag := load.Field(head, "Last-Modified"), load.Field(head, "Etag")
	if time == nil || tag == nil {
		return append(b, old...)
	}
	return append(append(append(b, time...), '\n'), tag...)
}

func (nchan) AppendPublish(b []byte, host, channel string, text []byte) []byte {
	return post(b, "/pub/", channel, host, "application/json", `{"nick":"bench","message":"`, text, `"}`)
}
