package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"pubsub/server"
)

func fuzzed(f *testing.F) *server.Server {
	s, err := server.New(open(), fstest.MapFS{}, page, slog.New(slog.DiscardHandler))
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	return s
}

// serve answers a request whose client does not wait.
func serve(s *server.Server, r *http.Request) (w *httptest.ResponseRecorder) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w = httptest.NewRecorder()
	defer func() {
		if cause := recover(); cause != nil && cause != http.ErrAbortHandler { // who has hung up gets no answer
			panic(cause)
		}
	}()
	s.ServeHTTP(w, r.WithContext(ctx))
	return w
}

// requireFit holds an answer against the contract: what a client sends is its
// fault or nobody's, and it is told so in a sentence.
func requireFit(t *testing.T, w *httptest.ResponseRecorder) {
	require.Less(t, w.Code, 500, "%s", w.Body)
	if w.Code < 400 {
		return
	}
	var problem struct{ Error string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &problem), "%s", w.Body)
	require.True(t, strings.Contains(problem.Error, " ") && utf8.ValidString(problem.Error), "a sentence: %q", problem.Error)
}

// FuzzPost: whatever is posted is published whole, as one flat JSON object with
// the server's own fields, or refused.
func FuzzPost(f *testing.F) {
	const form, multi, object = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/json"
	for _, seed := range [][3]string{
		{"/pub", form, "nick=ann&message=h%C3%A4llo"},
		{"/pub", form, "message=%ff%zz;&message="},
		{"/pub", "", "message=hi"},
		{"/pub", multi, "--b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nhi\r\n--b--\r\n"},
		{"/pub", multi, "--b\r\n\r\n"},
		{"/pub", object, `{"message":"hi","id":9,"channel":"x","deep":[[[{}]]],"n":1e400}`},
		{"/pub", object, `{"message":"\ud800","nick":[]}`},
		{"/pub/a.b~c", object, `{"message":"\u0000","message":"again"}`},
		{"/publish/c", object, `{"message":0}`},
		{"/publish/c", object, `{"message":{"a":1}}`},
		{"/api/publish/c", object, `{}`},
		{"/api/publish/c", object, `null`},
		{"/api/publish/c", object, `{}}`},
		{"/api/publish/c", "text/plain; x=\"", strings.Repeat("[", 20_000)},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	s := fuzzed(f)
	f.Fuzz(func(t *testing.T, path, contentType, body string) {
		if !strings.HasPrefix(path, "/") {
			path = "/pub"
		}
		r := &http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: path}, Header: http.Header{}, Body: http.NoBody,
		}
		r.Header.Set("Content-Type", contentType)
		posted := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Body, r.ContentLength = posted.Body, posted.ContentLength
		w := serve(s, r)
		requireFit(t, w)
		if w.Code != http.StatusOK {
			return
		}
		channel := path[strings.LastIndex(path, "/")+1:]
		if path == "/pub" {
			channel = "chat"
		}
		w = serve(s, &http.Request{Method: http.MethodGet, Body: http.NoBody, URL: &url.URL{
			Path: "/sub/" + channel, RawQuery: "timeout=0&since=-1",
		}})
		var page struct{ Messages []map[string]any }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page), "%s", w.Body)
		require.Len(t, page.Messages, 1)
		require.Equal(t, channel, page.Messages[0]["channel"])
		require.IsType(t, 1.0, page.Messages[0]["id"])
		require.IsType(t, 1.0, page.Messages[0]["timestamp"])
	})
}

// FuzzPoll: whatever is asked is answered or refused.
func FuzzPoll(f *testing.F) {
	for _, seed := range [][2]string{
		{"/sub", "since=now"},
		{"/sub/room", "since=-3&timeout=0"},
		{"/sub", "since=abcdefghijkl-99999999999999999999"},
		{"/sub", "since=%zz;&timeout=1e999"},
		{"/subscribe/c", "last_event_id=18446744073709551616"},
		{"/api/poll/c", "since=1763682109.123456&timeout=-1"},
		{"/api/poll/c", "since=NaN"},
		{"/api/poll/c", "last_message_id=1&timeout=0"},
		{"/chat", "chat_id=chat&cur_len=-5"},
		{"/", "channel=%2e%2e"},
		{"/sub/../../etc/passwd", "="},
	} {
		f.Add(seed[0], seed[1])
	}
	s := fuzzed(f)
	f.Fuzz(func(t *testing.T, path, query string) {
		if !strings.HasPrefix(path, "/") {
			path = "/sub"
		}
		requireFit(t, serve(s, &http.Request{
			Method: http.MethodGet, Body: http.NoBody, Header: http.Header{}, URL: &url.URL{Path: path, RawQuery: query},
		}))
	})
}

// FuzzHeaders: whatever stands in the headers that the server reads, the request
// is answered or refused.
func FuzzHeaders(f *testing.F) {
	f.Add("203.0.113.1, [2001:db8::1%eth0]:80", `for="[::1]:80"`, "https://a.example", "tab", "key")
	f.Add(",,,", ";", "null", "\xff", "\x00")
	config := open()
	config.TrustedHops, config.PublishRate = 1, 1e6
	config.AllowedOrigins = []string{"https://a.example"}
	s, err := server.New(config, static, page, slog.New(slog.DiscardHandler))
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	f.Fuzz(func(t *testing.T, forwardedFor, forwarded, origin, client, key string) {
		headers := http.Header{
			"X-Forwarded-For": {forwardedFor}, "Forwarded": {forwarded}, "Origin": {origin},
			"X-Client-Id": {client}, "Idempotency-Key": {key},
		}
		for method, path := range map[string]string{http.MethodGet: "/sub", http.MethodPost: "/pub", http.MethodOptions: "/pub"} {
			requireFit(t, serve(s, &http.Request{
				Method: method, Body: http.NoBody, Header: headers, Host: "chat",
				URL: &url.URL{Path: path, RawQuery: "message=hi"},
			}))
		}
	})
}
