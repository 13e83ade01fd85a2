package dialect

import (
	"fmt"

	"pubsub/bench/load"
)

// stream is a dialect whose polls open streams: Server-Sent Events at a path,
// or a WebSocket. It has no cursor, since a run's streams do not end; one that
// breaks shows as a loss.
type stream struct {
	open    string // the request's path with what comes before the channel
	after   string // what comes after it
	framed  bool
	hello   string // with one %s for the channel, "" for none
	publish func(b []byte, host, channel string, text []byte) []byte
}

var _ load.Endless = stream{}

func (stream) Remembers() bool { return true }

func (s stream) Framed() bool { return s.framed }

func (s stream) AppendPoll(b []byte, host, channel string, _ []byte) []byte {
	b = fmt.Appendf(b, "GET %s%s%s HTTP/1.1\r\nHost: %s\r\n", s.open, channel, s.after, host)
	if s.framed {
		// The key proves nothing to a server that is not tested for it.
		return append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"...)
	}
	return append(b, "Accept: text/event-stream\r\n\r\n"...)
}

func (stream) AppendCursor(b, old, _, _ []byte) []byte { return append(b, old...) }

func (s stream) AppendHello(b []byte, channel string) []byte {
	if s.hello == "" {
		return b
	}
	return appendText(b, fmt.Sprintf(s.hello, channel))
}

func (s stream) AppendPublish(b []byte, host, channel string, text []byte) []byte {
	return s.publish(b, host, channel, text)
}

// appendText appends a client's text frame of less than 126 bytes, masked with
// zeros.
func appendText(b []byte, text string) []byte {
	return append(append(b, 0x81, 0x80|byte(len(text)), 0, 0, 0, 0), text...)
}
