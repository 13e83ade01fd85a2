package server_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// thing is what a stream brings.
type thing struct {
	text   string // of a message
	id     uint64 // of a message on a line
	cursor string // the place behind it, "" if the way does not tell
	gap    string // reason of a gap
	end    string // why the stream ends
	said   string // an answer to what was said
}

// isNothing tells whether it is a heartbeat, or a place alone.
func (o thing) isNothing() bool {
	o.cursor = ""
	return o == thing{}
}

// streamed is a stream of a client in the tests.
type streamed struct {
	net.Conn
	r      *bufio.Reader
	status int
	header http.Header
	read   func(*streamed) ([]thing, error)
	things []thing
	cursor string // place of all that next has returned
}

// way is how a stream is asked for and read.
type way struct {
	name   string
	header string
	read   func(*streamed) ([]thing, error)
}

var ways = []way{
	{"sse", "Accept: text/event-stream", (*streamed).readEvent},
	{"ndjson", "Accept: application/x-ndjson", (*streamed).readLine},
	{"websocket", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", (*streamed).readFrame},
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// stream opens a stream.
func (r *running) stream(t require.TestingT, way way, path string, headers ...string) *streamed {
	s, err := r.tryStream(way, path, headers...)
	require.NoError(t, err)
	return s
}

func (r *running) tryStream(way way, path string, headers ...string) (*streamed, error) {
	return r.tryStreamBy(http.MethodGet, way, path, headers...)
}

// overHTTP2 is a stream over HTTP/2 in place of a connection.
type overHTTP2 struct {
	net.Conn
	body io.ReadCloser
}

func (c overHTTP2) Close() error              { return c.body.Close() }
func (overHTTP2) SetDeadline(time.Time) error { return nil }

func (r *running) tryStreamOverHTTP2(method string, way way, path string, headers []string) (*streamed, error) {
	request, err := http.NewRequest(method, "https://"+r.addr+path, nil)
	if err != nil {
		return nil, err
	}
	for _, header := range append(headers, way.header) {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	resp, err := r.http.Do(request)
	if err != nil {
		return nil, err
	}
	if resp.ProtoMajor != 2 {
		return nil, fmt.Errorf("the server speaks %s", resp.Proto)
	}
	return &streamed{
		Conn: overHTTP2{body: resp.Body}, r: bufio.NewReader(resp.Body), read: way.read,
		status: resp.StatusCode, header: resp.Header,
	}, nil
}

func (r *running) tryStreamBy(method string, way way, path string, headers ...string) (*streamed, error) {
	if r.http2 && way.name != "websocket" {
		return r.tryStreamOverHTTP2(method, way, path, headers)
	}
	var c net.Conn
	var err error
	if r.tls == nil {
		c, err = net.Dial("tcp", r.addr)
	} else {
		c, err = tls.Dial("tcp", r.addr, r.tls)
	}
	if err != nil {
		return nil, err
	}
	if tcp, is := c.(*net.TCPConn); is {
		_ = tcp.SetLinger(0) // a hang-up leaves no port behind
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	more := strings.Join(append([]string{way.header}, headers...), "\r\n")
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: chat\r\n%s\r\n\r\n", method, path, more)
	s := &streamed{Conn: c, r: bufio.NewReader(c), read: way.read}
	resp, err := http.ReadResponse(s.r, nil)
	if err != nil {
		c.Close()
		return nil, err
	}
	s.status, s.header = resp.StatusCode, resp.Header
	if resp.TransferEncoding != nil || resp.ContentLength >= 0 && s.status != http.StatusSwitchingProtocols || s.status != http.StatusOK && s.status != http.StatusSwitchingProtocols {
		s.r = bufio.NewReader(resp.Body)
	}
	return s, nil
}

// next returns what comes next. io.EOF is the end.
func (s *streamed) next() (thing, error) {
	for len(s.things) == 0 {
		_ = s.SetDeadline(time.Now().Add(patience))
		all, err := s.read(s)
		if err != nil {
			return thing{}, err
		}
		s.things = all
	}
	one := s.things[0]
	s.things = s.things[1:]
	if one.cursor != "" {
		s.cursor = one.cursor
	}
	return one, nil
}

// texts returns the next n messages; a gap or an end fails the test.
func (s *streamed) texts(t require.TestingT, n int) (texts []string) {
	for len(texts) < n {
		one, err := s.next()
		require.NoError(t, err, "after %q", texts)
		require.Empty(t, one.gap+one.end)
		if one.text != "" {
			texts = append(texts, one.text)
		}
	}
	return texts
}

// told is a message.
type told struct {
	ID       uint64
	Message  string
	Presence string
	Name     string
	Count    *int
}

// text is that of a message, or such as "join ann 3" on a companion.
func (m told) text() string {
	text := m.Message
	for _, more := range []string{m.Presence, m.Name} {
		if more != "" {
			text = strings.TrimSpace(text + " " + more)
		}
	}
	if m.Count != nil {
		text += fmt.Sprint(" ", *m.Count)
	}
	return text
}

type spoken struct {
	told
	Messages       []told
	Cursor, Start  string
	End            string
	Gap            *struct{ Reason string }
	Published, Key json.RawMessage
	Error          string
}

func (s *streamed) readEvent() ([]thing, error) {
	var kind, data string
	var one thing
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line == ":\n" && one == (thing{}) && kind+data == "" {
			return []thing{{}}, nil // a heartbeat
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			kind = value
		case "id":
			one.cursor = value
		case "data":
			data = value
		case "":
			var said struct {
				told
				Reason, Error string
			}
			if data != "" {
				if err := json.Unmarshal([]byte(data), &said); err != nil {
					return nil, err
				}
			}
			switch kind {
			case "gap":
				one.gap = said.Reason
			case "end":
				one.end = said.Reason
			case "error":
				one.end = said.Error
			default:
				one.text = said.text()
			}
			return []thing{one}, nil
		}
	}
}

func (s *streamed) readLine() ([]thing, error) {
	line, err := s.r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var said spoken
	if err := json.Unmarshal(line, &said); err != nil {
		return nil, err
	}
	one := thing{text: said.text(), id: said.ID, cursor: said.Cursor, end: said.End}
	if said.Gap != nil {
		one.gap = said.Gap.Reason
	}
	return []thing{one}, nil
}

func (s *streamed) readFrame() ([]thing, error) {
	header, err := ws.ReadHeader(s.r)
	if err != nil {
		return nil, err
	}
	frame := ws.Frame{Header: header, Payload: make([]byte, header.Length)}
	if _, err := io.ReadFull(s.r, frame.Payload); err != nil {
		return nil, err
	}
	switch header.OpCode {
	case ws.OpPing:
		return []thing{{}}, ws.WriteFrame(s, ws.MaskFrame(ws.NewPongFrame(frame.Payload)))
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(frame.Payload)
		return []thing{{end: fmt.Sprintf("%s (%d)", reason, code)}}, nil
	case ws.OpPong:
		return []thing{{said: "pong " + string(frame.Payload)}}, nil
	}
	var said spoken
	if err := json.Unmarshal(frame.Payload, &said); err != nil {
		return nil, err
	}
	if said.Cursor == "" {
		return []thing{{said: string(frame.Payload)}}, nil
	}
	things := []thing{{}}
	if said.Gap != nil {
		things = append(things, thing{gap: said.Gap.Reason})
	}
	for _, m := range said.Messages {
		things = append(things, thing{text: m.text()})
	}
	things[len(things)-1].cursor = said.Cursor
	return things, nil
}

// say sends a text frame.
func (s *streamed) say(t require.TestingT, text string) {
	require.NoError(t, ws.WriteFrame(s, ws.MaskFrame(ws.NewTextFrame([]byte(text)))))
}

// delivering waits until so many messages were given to polls and streams, which may not
// have read them.
func (r *running) delivering(t require.TestingT, n int) {
	for deadline := time.Now().Add(patience); ; {
		_, value, _ := strings.Cut(r.get(t, "/metrics"), "\npubsub_messages_delivered_total ")
		value, _, _ = strings.Cut(value, "\n")
		given, err := strconv.Atoi(value)
		require.NoError(t, err)
		if given >= n {
			return
		}
		require.True(t, time.Now().Before(deadline), "%d of %d were given", given, n)
	}
}

// streaming waits until so many streams are open.
func (r *running) streaming(t require.TestingT, n int) {
	want := fmt.Sprintf("streams = %d\n", n)
	for deadline := time.Now().Add(patience); ; {
		got := r.get(t, "/debug")
		if strings.HasSuffix(got, want) {
			return
		}
		require.True(t, time.Now().Before(deadline), "%q did not become %q", got, want)
	}
}
