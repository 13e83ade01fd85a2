package dialect_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/bench/dialect"
)

// Answers as the servers give them.
var tests = []struct {
	dialect      string
	head, body   string
	cursor       string // after the answer
	first, again string // polls, before and after it
}{{
	dialect: "original",
	body:    `{"message": "hi", "nick": "ann"}`,
	first:   "/sub", again: "/sub",
}, {
	dialect: "cursor",
	body:    `{"messages":[{"id":1,"message":"\"cursor\":\"no\""}],"cursor":"xp4as7naduz6-1","more":false}`,
	cursor:  "xp4as7naduz6-1",
	first:   "/sub/room?timeout=60&since=now", again: "/sub/room?timeout=60&since=xp4as7naduz6-1",
}, {
	dialect: "nchan",
	head:    "Server: nginx\r\nLast-Modified: Sat, 21 Nov 2026 00:55:04 GMT\r\nEtag: 3\r\n",
	body:    `{"message":"hi"}`,
	cursor:  "Sat, 21 Nov 2026 00:55:04 GMT\n3",
	first:   "/sub/room", again: "/sub/room",
}, {
	dialect: "nchan-many",
	head:    "Last-Modified: Sat, 21 Nov 2026 00:55:04 GMT\r\nEtag: 3\r\n",
	cursor:  "Sat, 21 Nov 2026 00:55:04 GMT\n3",
	first:   "/many/room", again: "/many/room",
}, {
	dialect: "golongpoll",
	body: `{"events":[{"timestamp":1,"category":"room","data":"a","id":"11111111-1111-4111-8111-111111111111"},` +
		`{"timestamp":1795222504123,"category":"room","data":"b","id":"22222222-2222-4222-8222-222222222222"}]}`,
	cursor: "179522250412322222222-2222-4222-8222-222222222222",
	first:  "/sub?timeout=110&category=room",
	again:  "/sub?timeout=110&category=room&since_time=1795222504123&last_id=22222222-2222-4222-8222-222222222222",
}, {
	dialect: "golongpoll",
	body:    `{"timeout":"no events before timeout","timestamp":1795222504123}`,
	cursor:  "1795222504123",
	first:   "/sub?timeout=110&category=room", again: "/sub?timeout=110&category=room&since_time=1795222504123",
}}

func TestPolls(t *testing.T) {
	for _, test := range tests {
		t.Run(test.dialect, func(t *testing.T) {
			d, err := dialect.Named(test.dialect)
			require.NoError(t, err)

			first := request(t, d.AppendPoll(nil, "host:1", "room", nil))
			require.Equal(t, []string{"GET", "host:1", test.first}, []string{first.Method, first.Host, first.URL.String()})
			require.Empty(t, first.Header)

			cursor := d.AppendCursor(nil, nil, []byte(test.head), []byte(test.body))
			require.Equal(t, test.cursor, string(cursor))
			require.Equal(t, test.cursor != "", d.Remembers())

			again := request(t, d.AppendPoll(nil, "host:1", "room", cursor))
			require.Equal(t, test.again, again.URL.String())
			if strings.HasPrefix(test.dialect, "nchan") {
				require.Equal(t, "Sat, 21 Nov 2026 00:55:04 GMT", again.Header.Get("If-Modified-Since"))
				require.Equal(t, "3", again.Header.Get("If-None-Match"))
			}
			if d.Remembers() {
				require.Equal(t, "old", string(d.AppendCursor(nil, []byte("old"), nil, []byte("{}"))), "an answer without a cursor")
			}
		})
	}
}

func TestBrowser(t *testing.T) {
	d, err := dialect.Named("nchan")
	require.NoError(t, err)
	short, long := d.AppendPoll(nil, "host:1", "room", nil), dialect.Browser(d).AppendPoll(nil, "host:1", "room", nil)
	require.InDelta(t, 640, len(long)-len(short), 20)
	r := request(t, long)
	require.Equal(t, "/sub/room", r.URL.Path)
	require.Equal(t, "no-cache", r.Header.Get("Pragma"))
}

func TestPublishing(t *testing.T) {
	want := map[string][2]string{
		"original":   {"/pub", "nick=bench&message=hi-1"},
		"cursor":     {"/pub/room", `{"nick":"bench","message":"hi-1"}`},
		"nchan":      {"/pub/room", `{"nick":"bench","message":"hi-1"}`},
		"nchan-many": {"/pub/room", `{"nick":"bench","message":"hi-1"}`},
		"short":      {"/pub/room", `{"nick":"bench","message":"hi-1"}`},
		"sse":        {"/pub/room", `{"nick":"bench","message":"hi-1"}`},
		"ws":         {"/pub/room", `{"nick":"bench","message":"hi-1"}`},
		"nchan-sse":  {"/pub/room", `{"nick":"bench","message":"hi-1"}`},
		"nchan-ws":   {"/pub/room", `{"nick":"bench","message":"hi-1"}`},

		"mercure-sse":    {"/.well-known/mercure", "topic=room&data=hi-1"},
		"centrifugo-sse": {"/api/publish", `{"channel":"room","data":{"message":"hi-1"}}`},
		"centrifugo-ws":  {"/api/publish", `{"channel":"room","data":{"message":"hi-1"}}`},
		"golongpoll":     {"/pub", `{"category":"room","data":{"nick":"bench","message":"hi-1"}}`},
	}
	for _, name := range dialect.Names() {
		t.Run(name, func(t *testing.T) {
			d, err := dialect.Named(name)
			require.NoError(t, err)
			r := request(t, d.AppendPublish(nil, "host:1", "room", []byte("hi-1")))
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.Equal(t, "POST", r.Method)
			require.Equal(t, want[name], [2]string{r.URL.Path, string(body)})
		})
	}
}

func TestUnknownDialect(t *testing.T) {
	_, err := dialect.Named("smtp")
	require.ErrorContains(t, err, "cursor, golongpoll, mercure-sse")
}

// request reads b as a server does, and that it is all there is.
func request(t *testing.T, b []byte) *http.Request {
	t.Helper()
	reader := bufio.NewReader(strings.NewReader(string(b)))
	r, err := http.ReadRequest(reader)
	require.NoError(t, err)
	if r.ContentLength <= 0 {
		require.Zero(t, reader.Buffered())
	}
	return r
}
