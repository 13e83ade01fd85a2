package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server"
	"pubsub/server/settings"
)

// do sends a request with headers, "Name: value" each.
func (s *running) do(t require.TestingT, method, path, body string, headers ...string) (*http.Response, string) {
	r, err := http.NewRequest(method, s.url(path), strings.NewReader(body))
	require.NoError(t, err)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	resp, err := s.http.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(b)
}

// requireRefused is for an answer over a limit: it names the limit, and when to
// come back.
func requireRefused(t require.TestingT, resp *http.Response, body string, status int, sentence string) {
	require.Equal(t, status, resp.StatusCode, body)
	var problem struct{ Error string }
	require.NoError(t, json.Unmarshal([]byte(body), &problem))
	require.Contains(t, problem.Error, sentence)
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
}

func TestPollLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		set      func(*settings.Settings)
		over     string // the path of the poll that is one too many
		fine     string // one that is not, if any
		status   int
		sentence string
	}{
		{"in all", func(c *settings.Settings) { c.MaxPolls = 2 }, "/sub/other", "", 503, "The server holds 2 polls"},
		{"per channel", func(c *settings.Settings) { c.MaxPollsPerChannel = 2 }, "/sub", "/sub/other", 503, "This channel has 2 pending polls"},
		{"per address", func(c *settings.Settings) { c.MaxPollsPerAddress = 2 }, "/sub/other", "", 429, "2 polls are pending from your address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := open()
			c.set(&config)
			s := start(t, config)
			first, second := s.dial(t, "/sub"), s.dial(t, "/sub?since=now")
			defer first.Close()
			defer second.Close()
			s.polling(t, 2)
			resp, body := s.do(t, "GET", c.over, "")
			requireRefused(t, resp, body, c.status, c.sentence)
			if c.fine != "" {
				third := s.dial(t, c.fine)
				s.polling(t, 3)
				third.Close()
				s.polling(t, 2)
			}
			resp, _ = s.do(t, "GET", c.over+"?since=all&timeout=0", "")
			require.Equal(t, http.StatusOK, resp.StatusCode, "what does not wait is not counted")
			first.Close()
			s.polling(t, 1)
			require.Eventually(t, func() bool { // who no longer waits may be counted for a moment yet
				resp, _ = s.do(t, "GET", c.over+"?since=now&timeout=0.01", "")
				return resp.StatusCode == http.StatusOK
			}, patience, time.Millisecond)
			again := s.dial(t, c.over)
			defer again.Close()
			s.polling(t, 2) // the same request is fine once there is room
		})
	}
}

// A client over its limit gets the newest poll, so that one that reconnects does
// not lock itself out; its oldest ends.
func TestNewerPollOfAClientEndsItsOldest(t *testing.T) {
	t.Parallel()
	config := open()
	config.MaxPollsPerClient = 2
	s := start(t, config)
	dial := func(query, id string) net.Conn {
		c, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "GET /sub?%s HTTP/1.1\r\nHost: chat\r\nX-Client-ID: %s\r\n\r\n", query, id)
		return c
	}
	oldest := dial("since=now", "tab")
	s.polling(t, 1)
	plain := dial("", "tab")
	s.polling(t, 2)
	other := dial("since=now", "another")
	s.polling(t, 3)
	newest := dial("since=now", "tab")
	status, body := answer(t, oldest)
	require.Equal(t, http.StatusTooManyRequests, status, "an answer to go on from would come back at once, for ever")
	require.Contains(t, body, "Newer polls of this client")
	dial("since=now", "tab")
	status, body = answer(t, plain)
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Contains(t, body, "Newer polls of this client")
	s.polling(t, 3)
	s.post(t, "hi")
	for _, c := range []net.Conn{other, newest} {
		_, body = answer(t, c)
		require.Contains(t, body, `"message":"hi"`)
	}
}

func TestPublishRate(t *testing.T) {
	t.Parallel()
	config := open()
	config.PublishRate, config.PublishBurst, config.TrustedHops = 0.001, 3, 1
	s := start(t, config)
	post := func(from string) (*http.Response, string) {
		return s.do(t, "POST", "/pub?message=hi", "", "X-Forwarded-For: "+from)
	}
	for range 3 {
		resp, body := post("203.0.113.1")
		require.Equal(t, http.StatusOK, resp.StatusCode, body)
	}
	resp, body := post("203.0.113.1")
	requireRefused(t, resp, body, http.StatusTooManyRequests, "more than 0.001 messages a second")
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	require.InDelta(t, 1000, seconds, 5, "when there is a token again")
	for _, path := range []string{"/pub/room", "/publish/room", "/api/publish/room"} {
		resp, body = s.do(t, "POST", path, `{"message":"hi"}`, "X-Forwarded-For: 203.0.113.1", "Content-Type: application/json")
		requireRefused(t, resp, body, http.StatusTooManyRequests, "more than 0.001")
	}
	resp, body = post("203.0.113.2")
	require.Equal(t, http.StatusOK, resp.StatusCode, "another address: %s", body)
}

// Who posts on while refused does not put off the time when a post is let in
// again, nor does anybody else at that address.
func TestRefusedPostsTakeNoTokens(t *testing.T) {
	t.Parallel()
	config := open()
	config.PublishRate, config.PublishBurst = 0.01, 1
	s := start(t, config)
	s.post(t, "hi")
	var posters sync.WaitGroup
	for range 200 {
		posters.Go(func() { s.do(t, "POST", "/pub?message=hi", "") })
	}
	posters.Wait()
	resp, body := s.do(t, "POST", "/pub?message=hi", "")
	requireRefused(t, resp, body, http.StatusTooManyRequests, "more than 0.01")
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	require.LessOrEqual(t, seconds, 102)
}

// Whose request it is: the trusted proxies' entries count from the right, and
// what a client writes to the left of them does not.
func TestAddressBehindProxies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		hops      int
		forwarded string
		same      string // another X-Forwarded-For of the same sender
		other     string // and one of another
	}{
		{"nobody is trusted", 0, "203.0.113.1", "203.0.113.2", ""},
		{"one proxy", 1, "203.0.113.1", "9.9.9.9, 203.0.113.1", "203.0.113.1, 203.0.113.2"},
		{"two proxies", 2, "203.0.113.1, 10.0.0.1", "9.9.9.9, 203.0.113.1, 10.0.0.2", "203.0.113.2, 10.0.0.1"},
		{"fewer entries than proxies", 3, "203.0.113.1", "203.0.113.1, 10.0.0.1", "203.0.113.2"},
		{"ports and brackets", 1, "203.0.113.1:1234", "203.0.113.1", "[2001:db8::1]:1"},
		{"an IPv6 network is one", 1, "2001:db8::1", "[2001:db8::2]:80", "2001:db8:0:1::1"},
		{"IPv4 in IPv6", 1, "::ffff:203.0.113.1", "203.0.113.1", "203.0.113.2"},
		{"an empty entry from the client", 1, "203.0.113.1", ", 203.0.113.1", ", 203.0.113.2"},
		{"nonsense is the proxy's own", 1, "unknown", "_hidden, garbage", "203.0.113.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := open()
			config.PublishRate, config.PublishBurst, config.TrustedHops = 0.001, 1, c.hops
			s := start(t, config)
			post := func(forwarded string) int {
				resp, _ := s.do(t, "POST", "/pub?message=hi", "", "X-Forwarded-For: "+forwarded)
				return resp.StatusCode
			}
			require.Equal(t, 200, post(c.forwarded))
			require.Equal(t, 429, post(c.same))
			if c.other != "" {
				require.Equal(t, 200, post(c.other))
			}
		})
	}
}

func TestOtherLimits(t *testing.T) {
	t.Parallel()
	config := open()
	config.MaxChannels, config.MaxMessageBytes, config.HistoryMessages = 2, 100, 5
	s := start(t, config)
	for _, room := range []string{"a", "b"} {
		resp, body := s.do(t, "POST", "/pub/"+room+"?message=hi", "")
		require.Equal(t, http.StatusOK, resp.StatusCode, body)
	}
	resp, body := s.do(t, "POST", "/pub/c?message=hi", "")
	requireRefused(t, resp, body, http.StatusServiceUnavailable, "As many channels")
	require.Contains(t, s.get(t, "/sub/c?since=now&timeout=0"), `"messages":[]`, "to read takes no room")

	resp, body = s.do(t, "POST", "/pub/a?message="+url.QueryEscape(strings.Repeat("x", 100)), "")
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	require.Contains(t, body, "A message may have 100 bytes")

	for range 7 {
		s.do(t, "POST", "/pub/a?message=hi", "")
	}
	require.Equal(t, 5, strings.Count(s.get(t, "/sub/a?since=all"), `"message":"hi"`))
}

// An answer holds a bounded part of a channel that is full of long messages, and
// the rest comes with the next.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	long := strings.Repeat("x", 16_000)
	for i := range 60 {
		resp, body := s.do(t, "POST", "/pub", fmt.Sprintf(`{"message":"%d %s"}`, i, long), "Content-Type: application/json")
		require.Equal(t, http.StatusOK, resp.StatusCode, body)
	}
	cursor, seen := "all", uint64(0)
	for more := true; more; {
		body := s.get(t, "/sub?timeout=0&since="+cursor)
		require.Less(t, len(body), 300_000)
		var page struct {
			Messages []struct{ ID uint64 }
			Cursor   string
			More     bool
			Gap      any
		}
		require.NoError(t, json.Unmarshal([]byte(body), &page))
		require.Nil(t, page.Gap)
		for _, m := range page.Messages {
			seen++
			require.Equal(t, seen, m.ID)
		}
		cursor, more = page.Cursor, page.More
	}
	require.EqualValues(t, 60, seen)
	conversation := s.get(t, "/chat")
	require.Less(t, len(conversation), 300_000)
	require.Contains(t, conversation, "unknown: 59 xxx", "the newest")
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	config := open()
	config.AllowedOrigins = []string{"https://friend.example"}
	s := start(t, config)
	const friend, stranger = "Origin: https://friend.example", "Origin: https://stranger.example"
	preflight := []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"}
	for _, path := range []string{"/pub", "/pub/room", "/publish/room", "/api/publish/room"} {
		resp, body := s.do(t, "POST", path, `{"message":"hi"}`, "Content-Type: application/json", stranger)
		require.Equal(t, http.StatusForbidden, resp.StatusCode)
		require.Contains(t, body, "PUBSUB_ALLOWED_ORIGINS")
		require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
		resp, body = s.do(t, "POST", path, `{"message":"hi"}`, "Content-Type: application/json", friend)
		require.Equal(t, http.StatusOK, resp.StatusCode, body)
		require.Equal(t, "https://friend.example", resp.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "Origin", resp.Header.Get("Vary"))

		resp, _ = s.do(t, "OPTIONS", path, "", append(preflight, friend)...)
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
		for _, name := range []string{"Idempotency-Key", "Cache-Control", "X-Request-ID"} {
			require.Contains(t, resp.Header.Get("Access-Control-Allow-Headers"), name)
		}
		resp, _ = s.do(t, "OPTIONS", path, "", append(preflight, stranger)...)
		require.Equal(t, http.StatusForbidden, resp.StatusCode)
	}
	for _, path := range []string{"/sub?since=all", "/api/poll/room?last_message_id=0", "/chat", "/subscribe/room?last_event_id=0", "/channels", "/sub?since=bad"} {
		resp, _ := s.do(t, "GET", path, "", friend)
		require.Equal(t, "https://friend.example", resp.Header.Get("Access-Control-Allow-Origin"), path)
		resp, _ = s.do(t, "GET", path, "", stranger)
		require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"), path)
	}
	resp, _ := s.do(t, "POST", "/pub?message=hi", "", "Sec-Fetch-Site: cross-site")
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "a form of another site, without an origin")

	config.AllowedOrigins = []string{"*"}
	s = start(t, config)
	resp, _ = s.do(t, "POST", "/pub?message=hi", "", stranger)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "https://stranger.example", resp.Header.Get("Access-Control-Allow-Origin"))
}

// What is too long in any case is refused before it is read: to read a hundred
// kilobytes of small values takes megabytes.
func TestLongJSONIsNotReadFirst(t *testing.T) {
	s, err := server.New(open(), static, page, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Close()
	post := func(body string) int {
		r := httptest.NewRequest("POST", "/api/publish/x", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	long := `{"a":[` + strings.Repeat("[],", 33_000) + `[]]}`
	allocations := testing.AllocsPerRun(5, func() { require.Equal(t, http.StatusRequestEntityTooLarge, post(long)) })
	require.Less(t, allocations, 1000.)

	blanks := strings.Repeat(" \n\t\r", 4000)
	for name, body := range map[string]string{
		"escapes":              `{"a":"` + strings.Repeat(`\u0041`, 16_000) + `"}`,
		"escaped quotes":       `{"a":"` + strings.Repeat(`\"`, 8000) + `"}`,
		"blanks":               blanks + `{` + blanks + `"a"` + blanks + `:` + blanks + `[]` + `}` + blanks,
		"backslash at the end": `{"a":"` + strings.Repeat(`\\`, 8000) + `"}`,
	} {
		require.Equal(t, http.StatusOK, post(body), name)
	}
}

// An address that sends more than its rate waits, also if it sends all at once and
// closes its half, as who does not care for the answers might.
func TestRequestRate(t *testing.T) {
	t.Parallel()
	config := open()
	config.RequestRate = 50
	s := start(t, config)
	c := s.dial(t, "/debug")
	defer c.Close()
	_, err := io.WriteString(c, strings.Repeat(request("/debug"), 300))
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	all, err := io.ReadAll(c)
	check(t, err == nil || errors.Is(err, syscall.ECONNRESET), "%v", err)
	require.Less(t, strings.Count(string(all), "HTTP/1.1 200"), 100)

	began := time.Now()
	for range 20 {
		s.get(t, "/debug")
	}
	require.Greater(t, time.Since(began), 200*time.Millisecond, "those who stay are answered later")
}
