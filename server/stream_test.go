package server_test

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server"
	"pubsub/server/settings"
)

// startHanded starts a server that cannot take connections over, so that each stream has
// a goroutine. Its clients speak TLS, and HTTP/2 but for WebSockets.
func startHanded(t *testing.T, set settings.Settings) *running {
	t.Helper()
	s, err := server.New(set, static, page, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	front := httptest.NewUnstartedServer(s)
	front.EnableHTTP2 = true
	front.StartTLS()
	config := front.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	t.Cleanup(func() {
		front.Close()
		require.NoError(t, s.Close())
	})
	return &running{addr: front.Listener.Addr().String(), tls: config, http: front.Client(), http2: true}
}

// startTLS starts a server with TLS, whose clients speak HTTP/1.1.
func startTLS(t *testing.T, set settings.Settings) *running {
	t.Helper()
	certificate := withCertificate(t, &set)
	return start(t, set).overTLS(t, false, certificate)
}

// transports are connections that are taken over, without TLS and with it, and those that
// are not.
var transports = []struct {
	name  string
	start func(*testing.T, settings.Settings) *running
}{{"plain", start}, {"TLS", startTLS}, {"handed over", startHanded}}

// eachWay runs a test for each way over each transport, and in the short size for each of
// either once.
func eachWay(t *testing.T, set settings.Settings, test func(t *testing.T, s *running, way way)) {
	t.Parallel()
	for i, way := range ways {
		for j, over := range transports {
			if testing.Short() && i != j {
				continue
			}
			t.Run(way.name+" "+over.name, func(t *testing.T) {
				t.Parallel()
				test(t, over.start(t, set), way)
			})
		}
	}
}

// A client goes on with its cursor in another way, and in each it has every message once.
func TestOneCursorForAllWays(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	for i := range 3 {
		require.Equal(t, http.StatusOK, s.say(t, fmt.Sprint(i)))
	}
	page := s.poll(t, "since=all&timeout=0")
	require.Equal(t, []string{"0", "1", "2"}, page.texts())
	cursor := page.Cursor
	for round := range 3 {
		for i, way := range append(ways, ways...) {
			said := []string{fmt.Sprint(round, i, "a"), fmt.Sprint(round, i, "b")}
			require.Equal(t, http.StatusOK, s.say(t, said[0]))
			c := s.stream(t, way, "/sub/room?since="+cursor)
			require.Equal(t, said[:1], c.texts(t, 1))
			require.Equal(t, http.StatusOK, s.say(t, said[1]))
			require.Equal(t, said[1:], c.texts(t, 1))
			c.Close()
			if way.name == "ndjson" { // it tells no cursor with a message
				c.cursor = s.poll(t, "timeout=0&since=now").Cursor
			}
			cursor = c.cursor
		}
	}
	require.Empty(t, s.poll(t, "timeout=0&since="+cursor).texts())
}

// A stream that is cut a hundred times, anywhere, loses nothing. Lines have no cursors, so
// their reader goes on by the id of its last message.
func TestStreamsThatAreCut(t *testing.T) {
	eachWay(t, open(), func(t *testing.T, s *running, way way) {
		const messages, cuts = 600, 100
		require.Equal(t, http.StatusOK, s.say(t, "0")) // from now on the channel has its epoch
		epoch, _, _ := strings.Cut(s.poll(t, "since=all&timeout=0").Cursor, ".")
		var posts sync.WaitGroup
		posts.Go(func() {
			for i := 1; i < messages; i++ {
				s.say(t, fmt.Sprint(i))
			}
		})
		defer posts.Wait()
		cursor, had := "all", 0
		take := func(c *streamed) {
			one, err := c.next()
			require.NoError(t, err)
			require.Empty(t, one.gap+one.end)
			if one.text != "" {
				require.Equal(t, fmt.Sprint(had), one.text)
				had++
			}
			switch {
			case one.id > 0:
				cursor = fmt.Sprint(epoch, "-", one.id)
			case c.cursor != "" && way.name != "ndjson":
				cursor = c.cursor
			}
		}
		readAndCut := func(atMost int) {
			c := s.stream(t, way, "/sub/room?since="+cursor)
			defer c.Close()
			for n := 0; had < messages && n < atMost; n++ {
				take(c)
			}
			for len(c.things) > 0 { // a page is a client's as a whole
				take(c)
			}
		}
		for range cuts {
			readAndCut(rand.IntN(2 * messages / cuts))
		}
		readAndCut(math.MaxInt)
	})
}

// A message is given to a stream whatever its size, also if it is more than an address may
// have unread otherwise.
func TestStreamsOfLargeMessages(t *testing.T) {
	t.Parallel()
	set := open()
	set.MaxMessageBytes = 16 << 20
	s := start(t, set)
	live := s.stream(t, ways[0], "/sub/room")
	s.streaming(t, 1)
	large := strings.Repeat("x", 9<<20)
	require.Equal(t, http.StatusOK, s.say(t, large))
	require.Equal(t, http.StatusOK, s.say(t, "after"))
	reads := func(c *streamed) {
		texts := c.texts(t, 2)
		require.Len(t, texts[0], len(large))
		require.Equal(t, "after", texts[1])
		c.Close()
		s.streaming(t, 0)
	}
	reads(live)
	for _, way := range ways {
		reads(s.stream(t, way, "/sub/room?since=all"))
	}
}

// Many streams of one address are given a message that is more for all of them together
// than an address may have unread: some get it when others have read it.
func TestLargeMessageForManyOfOneAddress(t *testing.T) {
	t.Parallel()
	const streams = 16
	set := open()
	set.MaxMessageBytes = 1 << 20
	for _, s := range []*running{start(t, set), startHanded(t, set)} {
		var all [streams]*streamed
		for i := range all {
			all[i] = s.stream(t, ways[0], "/sub/room")
			defer all[i].Close()
		}
		s.streaming(t, streams)
		large := strings.Repeat("x", 600_000)
		require.Equal(t, http.StatusOK, s.say(t, large))
		s.delivering(t, streams)
		require.Equal(t, http.StatusOK, s.say(t, "after"))
		var got [streams]string
		var reads sync.WaitGroup
		for i, c := range all {
			reads.Go(func() {
				for !strings.HasSuffix(got[i], "after") {
					one, err := c.next()
					if got[i] += one.text; err != nil {
						got[i] = err.Error() + " after"
					}
				}
			})
		}
		reads.Wait()
		for i := range got {
			require.Len(t, got[i], len(large)+len("after"), "stream %d: %.40s", i, got[i])
		}
	}
}

// Readers that come while messages pour in miss none, and get none twice.
func TestStreamsThatJoinAFlood(t *testing.T) {
	eachWay(t, open(), func(t *testing.T, s *running, way way) {
		const messages, readers = 500, 30
		var posts, reads sync.WaitGroup
		for _, channel := range []string{"a", "b"} {
			posts.Go(func() {
				for i := range messages {
					s.do(t, "POST", fmt.Sprintf("/pub/%s?message=%s%d", channel, channel, i+1), "")
				}
			})
		}
		for i := range readers {
			reads.Go(func() {
				<-time.After(time.Duration(rand.IntN(500)) * time.Millisecond)
				names := []string{"a", "b", "a,b"}[i%3]
				c := s.stream(t, way, "/sub/"+names+"?since=all")
				defer c.Close()
				want := messages * (1 + strings.Count(names, ","))
				next := map[byte]int{}
				for _, text := range c.texts(t, want) {
					next[text[0]]++
					if !check(t, text == fmt.Sprintf("%c%d", text[0], next[text[0]]), "%s after %d", text, next[text[0]]-1) {
						return
					}
				}
			})
		}
		posts.Wait()
		reads.Wait()
	})
}

// Whoever leaves takes everything along.
func TestNothingStaysOfStreamsThatLeft(t *testing.T) {
	rounds, each := pubsubtest.Size(12, 4), 100
	set := open()
	set.ReadRate = 0
	s := start(t, set)
	wave := func() {
		var all []*streamed
		for i := range each * len(ways) {
			all = append(all, s.stream(t, ways[i%len(ways)], fmt.Sprintf("/sub/room%d", i%2)))
		}
		s.streaming(t, len(all))
		for i, c := range all {
			if i%2 == 0 {
				c.texts(t, 0)
			}
			c.Close()
		}
		s.streaming(t, 0)
	}
	wave()
	goroutines, bytes := runtime.NumGoroutine(), heap()
	for range rounds {
		wave()
	}
	s.http.CloseIdleConnections()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+10 }, patience, 10*time.Millisecond)
	s.connections(t, 1)
	grown := heap() - bytes
	t.Logf("%d streams: %+d goroutines, %+d KiB", rounds*each*len(ways), runtime.NumGoroutine()-goroutines, grown>>10)
	require.Less(t, grown, int64(3<<20))
}

// A drain gives each stream what was acknowledged before, tells it, and ends it.
func TestStreamsInADrain(t *testing.T) {
	t.Parallel()
	for name, history := range map[string]string{"memory": "memory", "folder": t.TempDir() + "/log"} {
		t.Run(name, func(t *testing.T) {
			const each = 100
			set := open()
			set.History = history
			s := start(t, set)
			var all []*streamed
			for i := range each * len(ways) {
				all = append(all, s.stream(t, ways[i%len(ways)], "/sub/room"))
			}
			s.streaming(t, len(all))
			for i := range 10 {
				require.Equal(t, http.StatusOK, s.say(t, fmt.Sprint(i)))
			}
			s.http.CloseIdleConnections()
			began := time.Now()
			stopped := make(chan error)
			go func() { stopped <- s.stop() }()
			for _, c := range all {
				require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, c.texts(t, 10))
				last, err := c.next()
				for err == nil && last.isNothing() {
					last, err = c.next()
				}
				require.NoError(t, err)
				require.Contains(t, last.end, "draining")
				_, err = c.next()
				require.Error(t, err)
				c.Close()
			}
			require.NoError(t, <-stopped)
			t.Logf("%d streams ended and the server stopped after %v", len(all), time.Since(began))
		})
	}
}

// Streams end after their lifetime. That they are written to while they are silent is looked at where none ends.
func TestLifetime(t *testing.T) {
	set := open()
	set.Heartbeat, set.StreamLifetime = 300*time.Millisecond, time.Second // too short for three pings without an answer
	eachWay(t, set, func(t *testing.T, s *running, way way) {
		c := s.stream(t, way, "/sub/room")
		defer c.Close()
		one, err := c.next()
		for ; err == nil && one.end == ""; one, err = c.next() {
		}
		require.NoError(t, err)
		require.Contains(t, one.end, "lifetime")
		_, err = c.next()
		require.Error(t, err)
	})
}

// A limit and a drain do not end a browser's EventSource for good.
func TestStreamsOverALimit(t *testing.T) {
	t.Parallel()
	set := open()
	set.MaxPollsPerChannel = 1
	s := start(t, set)
	first := s.stream(t, ways[0], "/sub/room")
	defer first.Close()
	s.streaming(t, 1)

	sse := s.stream(t, ways[0], "/sub/room")
	defer sse.Close()
	require.Equal(t, http.StatusOK, sse.status)
	require.Equal(t, "text/event-stream; charset=utf-8", sse.header.Get("Content-Type"))
	one, err := sse.next()
	require.NoError(t, err)
	require.Contains(t, one.end, "This channel has 1 pending polls")
	_, err = sse.next()
	require.Error(t, err)
	for _, way := range ways[1:] {
		c := s.stream(t, way, "/sub/room")
		require.Equal(t, http.StatusServiceUnavailable, c.status, way.name)
		require.NotEmpty(t, c.header.Get("Retry-After"))
		require.Empty(t, c.header.Get("Upgrade"))
		c.Close()
	}
	for _, way := range ways {
		c := s.stream(t, way, "/sub/room?since=nonsense")
		require.Equal(t, http.StatusBadRequest, c.status, way.name)
		require.Equal(t, "application/json", c.header.Get("Content-Type"))
		c.Close()
	}
	s.streaming(t, 1)
}

// The address that has most makes room, and is told; so does the oldest of one client.
func TestStreamsMakeRoom(t *testing.T) {
	eachWay(t, open(), func(t *testing.T, s *running, way way) {
		var all []*streamed
		for range 7 {
			all = append(all, s.stream(t, way, "/sub/a,b", "X-Client-ID: me"))
		}
		for {
			one, err := all[0].next()
			require.NoError(t, err)
			if one.end != "" {
				require.Contains(t, one.end, "polls-per-client")
				break
			}
		}
		s.say(t, "not here")
		s.do(t, "POST", "/pub/b?message=hi", "")
		for _, c := range all[1:] {
			require.Equal(t, []string{"hi"}, c.texts(t, 1))
			c.Close()
		}
		all[0].Close()
	})
}

// A stream that is over a gap is told of it, and goes on.
func TestGapsInStreams(t *testing.T) {
	set := open()
	set.HistoryMessages = 5
	eachWay(t, set, func(t *testing.T, s *running, way way) {
		s.say(t, "0")
		cursor := s.poll(t, "since=all&timeout=0").Cursor
		for i := range 9 {
			s.say(t, fmt.Sprint(i+1))
		}
		for _, since := range []string{cursor, "xyz-3"} {
			c := s.stream(t, way, "/sub/room?since="+since)
			var seen []string
			for len(seen) < 6 {
				one, err := c.next()
				require.NoError(t, err)
				if one.gap+one.text != "" {
					seen = append(seen, one.gap+one.text)
				}
			}
			reason := map[bool]string{true: "expired", false: "restarted"}[since == cursor]
			require.Equal(t, []string{reason, "5", "6", "7", "8", "9"}, seen)
			c.Close()
		}
	})
}

// Streams that do not read cost the others nothing, and lose nothing when they read again.
func TestStreamsThatDoNotRead(t *testing.T) {
	const lazy, messages = 60, 100 // 1.2 MB for each
	set := open()
	set.MaxMessageBytes = 0
	eachWay(t, set, func(t *testing.T, s *running, way way) {
		var asleep []*streamed
		for range lazy {
			asleep = append(asleep, s.stream(t, way, "/sub/room"))
		}
		awake := s.stream(t, way, "/sub/room")
		defer awake.Close()
		s.streaming(t, lazy+1)
		filler := strings.Repeat("x", 12_000)
		var slowest time.Duration
		for i := range messages {
			began := time.Now()
			require.Equal(t, http.StatusOK, s.say(t, fmt.Sprint(i, filler)))
			require.Equal(t, fmt.Sprint(i, filler), awake.texts(t, 1)[0])
			slowest = max(slowest, time.Since(began))
		}
		t.Logf("slowest of %d messages: %v", messages, slowest)
		var reads sync.WaitGroup
		for _, c := range asleep[:5] {
			reads.Go(func() {
				for i := range messages {
					one, err := c.next()
					for err == nil && one.text == "" {
						one, err = c.next()
					}
					if !check(t, err == nil && one.text == fmt.Sprint(i, filler), "%v: %v, %.20s", i, err, one.text) {
						return
					}
				}
			})
		}
		reads.Wait()
		for _, c := range asleep {
			c.Close()
		}
		s.streaming(t, 1)
	})
}
