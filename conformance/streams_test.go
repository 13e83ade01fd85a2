package conformance_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	wantsEvents = "Accept: text/event-stream"
	wantsLines  = "Accept: application/x-ndjson"
)

// begin asks for a stream, and reads the head of its answer.
func begin(t *testing.T, path string, headers ...string) *stream {
	t.Helper()
	c := base.Poll(t, path, headers...)
	resp, err := http.ReadResponse(c.Reader(), nil)
	require.NoError(t, err)
	return &stream{t, resp, c.Reader()}
}

type stream struct {
	t    *testing.T
	head *http.Response
	body interface{ ReadString(byte) (string, error) }
}

// lines returns the next n lines that are not empty.
func (s *stream) lines(n int) (lines []string) {
	for len(lines) < n {
		line, err := s.body.ReadString('\n')
		require.NoError(s.t, err, "after %q", lines)
		if line = strings.TrimSuffix(line, "\n"); line != "" && line != ":" {
			lines = append(lines, line)
		}
	}
	return lines
}

// An event has the message as data and the place behind it as id, from which a client goes
// on, in whatever way.
func TestServerSentEvents(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	first := say(t, base, channel, "one")
	s := begin(t, "/sub/"+channel+"?since=all", wantsEvents)
	assert.Equal(t, 200, s.head.StatusCode)
	assert.Equal(t, "text/event-stream; charset=utf-8", s.head.Header.Get("Content-Type"))
	assert.Equal(t, "no-store, no-transform", s.head.Header.Get("Cache-Control"), "for proxies that compress")
	assert.Equal(t, "no", s.head.Header.Get("X-Accel-Buffering"))
	lines := s.lines(6)
	assert.Regexp(t, `^retry: \d+$`, lines[0])
	assert.Equal(t, "event: begin", lines[1])
	assert.Regexp(t, `^id: \S+-0$`, lines[2], "where it begins")
	assert.Equal(t, "data: {}", lines[3], "for clients that parse whatever comes")
	assert.Equal(t, "id: "+first.Cursor, lines[4])
	assert.Contains(t, lines[5], `data: {"id":1,`)
	second := say(t, base, channel, "two\nlines\r\n\nid: 7")
	assert.Equal(t, "id: "+second.Cursor, s.lines(2)[0])
	assert.Equal(t, []any{"two\nlines\r\n\nid: 7"}, read(t, base, channel, "since="+first.Cursor).texts())

	for _, again := range []*stream{
		begin(t, "/sub/"+channel+"?since=all", wantsEvents, "Last-Event-ID: "+first.Cursor),
		begin(t, "/sub/"+channel+"?last_event_id="+first.Cursor, wantsEvents),
		begin(t, "/sub/"+channel+"?lastEventId="+first.Cursor, wantsEvents),
		begin(t, "/sub/"+channel+"?since="+first.Cursor, wantsEvents),
	} {
		assert.Equal(t, "id: "+second.Cursor, again.lines(6)[4])
	}
	gap := begin(t, "/sub/"+channel+"?since=abcdefgh-7", wantsEvents).lines(7)
	assert.Equal(t, "event: gap", gap[4])
	assert.Equal(t, `data: {"reason":"restarted"}`, gap[6])
}

func TestLinesOfJSON(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	s := begin(t, "/sub/"+channel, wantsLines)
	assert.Equal(t, "application/x-ndjson", s.head.Header.Get("Content-Type"))
	assert.Regexp(t, `^{"cursor":"\S+-0"}$`, s.lines(1)[0])
	say(t, base, channel, "one")
	lines := s.lines(2)
	assert.Contains(t, lines[0], `"message":"one"`)
	assert.Regexp(t, `^{"cursor":"\S+-1"}$`, lines[1], "where to go on")
}

// What counts first is Upgrade, then an Accept that names the type itself, then since.
func TestWhatIsAskedFor(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	say(t, base, channel, "hi")
	const upgrade = "Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Version: 13|Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
	for headers, kind := range map[string]string{
		"":            "application/json",
		"Accept: */*": "application/json",
		"Accept: text/html, application/xhtml+xml;q=0.9": "application/json",
		"Accept: text/event-stream;q=0.5, */*":           "text/event-stream; charset=utf-8",
		"Accept: Application/X-NDJSON":                   "application/x-ndjson",
		upgrade:                                          "",
		upgrade + "|" + wantsEvents:                      "",
	} {
		var all []string
		if headers != "" {
			all = strings.Split(headers, "|")
		}
		s := begin(t, "/sub/"+channel+"?since=all&timeout=0", all...)
		assert.Equal(t, kind, s.head.Header.Get("Content-Type"), headers)
		assert.Equal(t, map[bool]int{true: 101, false: 200}[kind == ""], s.head.StatusCode, headers)
	}
}

func TestStreamsOfSeveralChannels(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	a, b := fresh(), fresh()
	s := begin(t, "/sub/"+a+","+b, wantsEvents)
	empty := strings.TrimPrefix(s.lines(4)[2], "id: ")
	say(t, base, b, "one")
	ids := s.lines(2) // before the other is said, else both may come in one page, in the order of the channels
	second := say(t, base, a, "two")
	ids = append(ids, s.lines(2)...)
	assert.Equal(t, "id: "+second.Cursor+strings.TrimPrefix(ids[0], "id: ")[strings.Index(ids[0], ",")-len("id: "):], ids[2])
	assert.Equal(t, []any{"two", "one"}, read(t, base, a+","+b, "since="+empty).texts())
	assert.Empty(t, read(t, base, a+","+b, "timeout=0&since="+strings.TrimPrefix(ids[2], "id: ")).texts())
}
