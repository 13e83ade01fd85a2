// Package deploy_test runs nginx.conf with real nginx before a real server:
//
//	go test ./deploy                             # nginx comes from PATH or /usr/sbin
//	go test ./deploy -run LongPoll -long -v      # with a poll of 65 seconds instead of a fast clock
//
// processes_test.go starts them, with the package internal/pubsubtest.
package deploy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

const crowd = 50

func TestFloodReachesCursorClients(t *testing.T) {
	const publishers, each = 4, 100 // together fewer than the history keeps
	s := startServer(t)
	addr, _ := startNginx(t, s.Addr())
	var clients, posts sync.WaitGroup
	for range crowd {
		c := newClient(t, addr, "127.0.0.1")
		cursor := c.Now()
		clients.Go(func() {
			for seen := uint64(0); seen < publishers*each; {
				page, ok := c.Page("/sub?since=" + cursor)
				if !ok || !assert.Nil(t, page.Gap) {
					return
				}
				for _, m := range page.Messages {
					if !assert.Equal(t, seen+1, m.ID) {
						return
					}
					seen = m.ID
				}
				cursor = page.Cursor
			}
		})
	}
	for range publishers {
		c := newClient(t, addr, "127.0.0.1")
		posts.Go(func() {
			for range each {
				c.Publish("hi")
			}
		})
	}
	posts.Wait()
	clients.Wait()
}

// Clients that were written for the original say nothing of what they have, and nothing by which fifty of one address
// can be told apart. nginx sends their polls over whichever connection to the server is free.
func TestFloodReachesPlainClients(t *testing.T) {
	const messages = 200
	s := startServer(t)
	addr, _ := startNginx(t, s.Addr())
	var clients sync.WaitGroup
	for range crowd {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		clients.Go(func() {
			for r, want := bufio.NewReader(conn), uint64(1); want <= messages; want++ {
				m, err := pollOver(conn, r)
				if !assert.NoError(t, err) || !assert.Equal(t, want, m.ID) {
					return
				}
			}
		})
	}
	s.AwaitPolling(t, crowd)
	publisher := newClient(t, addr, "127.0.0.1")
	for range messages {
		publisher.Publish("hi")
	}
	clients.Wait()
}

// pollOver polls over one connection. Go's client takes another where the machine is so busy that it learns late that
// its request was written, and may be taken for one of the others then.
func pollOver(conn net.Conn, r *bufio.Reader) (m pubsubtest.Message, err error) {
	if err = conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return m, err
	}
	if _, err = io.WriteString(conn, "GET /sub HTTP/1.1\r\nHost: chat\r\n\r\n"); err != nil {
		return m, err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return m, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(body, &m)
}

// A browser goes on from its place on any of its connections, and another behind its address begins anew, also where it
// has the port that the last one had: behind an address translator, ports come again soon.
func TestPortThatComesAgainTellsNothing(t *testing.T) {
	s := startServer(t)
	addr, _ := startNginx(t, s.Addr())
	publisher := newClient(t, addr, "127.0.0.1")
	poll := func(from net.Addr, browser string) net.Conn {
		conn, err := (&net.Dialer{LocalAddr: from}).DialContext(t.Context(), "tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		require.NoError(t, conn.(*net.TCPConn).SetLinger(0)) // the port is free at once
		_, err = io.WriteString(conn, "GET /sub HTTP/1.1\r\nHost: chat\r\nUser-Agent: "+browser+"\r\n\r\n")
		require.NoError(t, err)
		return conn
	}
	hears := func(conn net.Conn, id uint64) {
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		var m pubsubtest.Message
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&m))
		require.Equal(t, id, m.ID)
		require.NoError(t, conn.Close())
	}
	anyPort := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)} // where nobody else takes ports meanwhile
	first := poll(anyPort, "one")
	s.AwaitPolling(t, 1)
	publisher.Publish("1")
	hears(first, 1)
	publisher.Publish("2")
	second := poll(first.LocalAddr(), "another")
	s.AwaitPolling(t, 1)
	publisher.Publish("3")
	hears(second, 3)
	hears(poll(anyPort, "one"), 2)
	hears(poll(anyPort, "one"), 3)
}

func TestLimitsGoByTheClientsAddress(t *testing.T) {
	s := startServer(t, "PUBSUB_MAX_POLLS_PER_ADDRESS=1", "PUBSUB_PUBLISH_RATE=0.001", "PUBSUB_PUBLISH_BURST=1")
	addr, _ := startNginx(t, s.Addr())
	const poll = "/sub?since=now"
	here, there := newClient(t, addr, "127.0.0.1"), newClient(t, addr, "127.0.0.2")
	var answered sync.WaitGroup
	defer answered.Wait()
	getsOne := func(c *pubsubtest.Client) func() {
		return func() {
			page, _ := c.Page(poll)
			assert.Len(t, page.Messages, 1)
		}
	}
	answered.Go(getsOne(here))
	s.AwaitPolling(t, 1)

	for _, spoofed := range []string{"", "10.1.2.3", "10.1.2.3, 10.3.2.1", "127.0.0.2"} {
		c := newClient(t, addr, "127.0.0.1")
		if spoofed != "" {
			c.Header.Set("X-Forwarded-For", spoofed)
			c.Header.Set("Forwarded", "for="+spoofed)
			c.Header.Set("X-Real-IP", spoofed)
		}
		status, header, body := c.Do(http.MethodGet, poll)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.NotEmpty(t, header.Get("Retry-After"))
		assert.Contains(t, body, "1 polls are pending from your address")
	}
	answered.Go(getsOne(there))
	s.AwaitPolling(t, 2)

	for i, want := range []int{http.StatusOK, http.StatusTooManyRequests} {
		c := newClient(t, addr, "127.0.0.1")
		c.Header.Set("X-Forwarded-For", fmt.Sprint("10.1.2.", i))
		status, _, body := c.Do(http.MethodPost, "/pub?message=hi")
		assert.Equal(t, want, status, body)
	}
	newClient(t, addr, "127.0.0.2").Publish("another address has its own rate")
}

// One address that has all its requests under way takes no more connections to the server,
// and others do not notice.
func TestRequestsOfAnAddressAreBounded(t *testing.T) {
	s := startServer(t)
	addr, _ := startNginx(t, s.Addr(), replace(t, "limit_conn addresses 1200;", "limit_conn addresses 3;"))
	for range 3 {
		c, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "GET /sub?since=now&timeout=60 HTTP/1.1\r\nHost: chat\r\n\r\n")
		require.NoError(t, err)
	}
	s.AwaitPolling(t, 3)
	status, header, body := newClient(t, addr, "127.0.0.1").Do(http.MethodPost, "/pub?message=hi")
	assert.Equal(t, http.StatusTooManyRequests, status)
	assert.NotEmpty(t, header.Get("Retry-After"))
	assert.Contains(t, body, "requests of your address are under way")
	newClient(t, addr, "127.0.0.2").Publish("hi")
}

func TestHeartbeatIsNotHeldBack(t *testing.T) {
	for name, buffering := range map[string]string{
		"as it is":                         "off",
		"where only the server forbids it": "on",
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, "PUBSUB_HEARTBEAT=200ms")
			addr, _ := startNginx(t, s.Addr(), replace(t, "proxy_buffering off;", "proxy_buffering "+buffering+";"))
			resp, err := newClient(t, addr, "127.0.0.1").Send(http.MethodGet, "/sub")
			require.NoError(t, err)
			defer resp.Body.Close()
			answer := bufio.NewReader(resp.Body)
			for range 3 { // the first comes with the header, which is not held back anyway
				beat, err := answer.ReadByte()
				require.NoError(t, err)
				require.Equal(t, "\n", string(beat))
			}
			newClient(t, addr, "127.0.0.1").Publish("the same answer goes on")
			var m pubsubtest.Message
			require.NoError(t, json.NewDecoder(answer).Decode(&m))
			require.Equal(t, pubsubtest.Message{ID: 1, Message: "the same answer goes on"}, m)
		})
	}
}

// The longest poll with a cursor, and a silent plain one that is longer. Without -long, nginx's clock is
// 30 times as fast, and so is the test's.
func TestLongPollIsNotCut(t *testing.T) {
	second, fast := time.Second, func(conf string) string { return conf }
	if !*long {
		second, fast = time.Second/hurry, hurried
	}
	s := startServer(t, "PUBSUB_HEARTBEAT=0") // nothing but nginx's settings keeps it up
	addr, _ := startNginx(t, s.Addr(), fast)
	hasty, _ := startNginx(t, s.Addr(), replace(t, "proxy_read_timeout 120s;", "proxy_read_timeout 60s;"), fast)
	var clients sync.WaitGroup
	defer clients.Wait()
	began := time.Now()
	answered := make(chan pubsubtest.Message, 1)
	clients.Go(func() {
		m, _ := newClient(t, addr, "127.0.0.1").Message("/sub")
		answered <- m
	})
	clients.Go(func() {
		page, _ := newClient(t, addr, "127.0.0.1").Page(fmt.Sprint("/sub/silent?since=now&timeout=", (60 * second).Seconds()))
		assert.Empty(t, page.Messages)
		assert.GreaterOrEqual(t, time.Since(began), 60*second)
		t.Logf("the poll with a cursor was answered after %v", time.Since(began).Round(time.Millisecond))
	})
	// That the time was long enough to tell: nginx's own limit does cut such a poll.
	cut := make(chan struct{})
	clients.Go(func() {
		defer close(cut)
		status, _, _ := newClient(t, hasty, "127.0.0.1").Do(http.MethodGet, "/sub/silent")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		t.Logf("with nginx's own limit a plain poll was cut after %v", time.Since(began).Round(time.Millisecond))
	})
	select {
	case early := <-answered:
		require.Fail(t, "the poll ended early", "%v", early)
	case <-cut:
	}
	newClient(t, addr, "127.0.0.1").Publish("at last")
	assert.Equal(t, pubsubtest.Message{ID: 1, Message: "at last"}, <-answered)
	t.Logf("the plain poll was answered after %v", time.Since(began).Round(time.Millisecond))
}

var timeout = regexp.MustCompile(`(_timeout) (\d+)s;`)

// hurry is how many times as fast the clock of nginx's configuration goes. What may take
// two minutes must still take longer than a busy machine stands still.
const hurry = 12

func hurried(conf string) string {
	return timeout.ReplaceAllStringFunc(conf, func(setting string) string {
		parts := timeout.FindStringSubmatch(setting)
		seconds, _ := strconv.Atoi(parts[2]) // digits
		return fmt.Sprintf("%s %dms;", parts[1], seconds*1000/hurry)
	})
}

// Those who have a cursor go on after a restart, and are told of it.
func TestServerRestarts(t *testing.T) {
	const each = 5
	s := startServer(t)
	addr, _ := startNginx(t, s.Addr())
	publisher := newClient(t, addr, "127.0.0.1")
	var clients sync.WaitGroup
	for range crowd {
		c := newClient(t, addr, "127.0.0.1")
		cursor := c.Now()
		clients.Go(func() {
			for restarts, seen := 0, uint64(0); restarts == 0 || seen < each; {
				status, header, body := c.Do(http.MethodGet, "/sub?since="+cursor)
				if status == http.StatusServiceUnavailable {
					assert.NotEmpty(t, header.Get("Retry-After"))
					<-time.After(20 * time.Millisecond) // not the second or more that it asks for
					continue
				}
				var page pubsubtest.Page
				if !assert.Equal(t, http.StatusOK, status, body) || !assert.NoError(t, json.Unmarshal([]byte(body), &page), body) {
					return
				}
				if page.Gap != nil {
					assert.Equal(t, "restarted", page.Gap.Reason)
					assert.Equal(t, uint64(each), seen, "what was said before the restart")
					restarts, seen = restarts+1, 0
					assert.Equal(t, 1, restarts)
				}
				for _, m := range page.Messages {
					if !assert.Equal(t, seen+1, m.ID) {
						return
					}
					seen = m.ID
				}
				cursor = page.Cursor
			}
		})
	}
	s.AwaitPolling(t, crowd)
	for range each {
		publisher.Publish("before")
	}
	require.NoError(t, s.Stop(syscall.SIGTERM))
	status, header, body := publisher.Do(http.MethodPost, "/pub?message=meanwhile")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "1", header.Get("Retry-After"))
	assert.JSONEq(t, `{"error":"The server cannot be reached. Ask again in a moment."}`, body)
	s.Restart(t)
	for range each {
		publisher.Publish("after")
	}
	clients.Wait()
}

// Browsers that do not say where a post comes from are told apart by Origin and Host.
func TestPostsOfOtherOriginsAreRefused(t *testing.T) {
	s := startServer(t)
	addr, _ := startNginx(t, s.Addr())
	for origin, want := range map[string]int{
		"http://" + addr:        http.StatusOK,
		"http://127.0.0.1":      http.StatusForbidden,
		"http://elsewhere.test": http.StatusForbidden,
	} {
		c := newClient(t, addr, "127.0.0.1")
		c.Header.Set("Origin", origin)
		status, _, body := c.Do(http.MethodPost, "/pub?message=hi")
		assert.Equal(t, want, status, "%s: %s", origin, body)
	}
}

// What a server is told of each client, seen by one that stands in for it.
func TestWhatTheServerIsTold(t *testing.T) {
	type told struct {
		connection string
		header     http.Header
		host       string
	}
	requests := make(chan told, 1)
	standIn := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests <- told{r.RemoteAddr, r.Header, r.Host}
	}))
	t.Cleanup(standIn.Close)
	oneWorker := replace(t, "worker_processes auto;", "worker_processes 1;") // each has connections of its own
	addr, addr6 := startNginx(t, standIn.Listener.Addr().String(), oneWorker)
	ask := func(c *pubsubtest.Client) told {
		status, _, _ := c.Do(http.MethodGet, "/sub")
		require.Equal(t, http.StatusOK, status)
		return <-requests
	}
	ann, bo := newClient(t, addr, "127.0.0.1"), newClient(t, addr, "127.0.0.1")
	bo.Header.Set("X-Forwarded-For", "10.1.2.3")
	bo.Header.Set("Forwarded", "for=10.1.2.3")
	bo.Header.Set("Connection", "X-Anything")
	first, second, again := ask(ann), ask(bo), ask(ann)

	assert.Equal(t, first.connection, second.connection, "two clients share a connection to the server")
	assert.Equal(t, first.header, again.header, "a client stays itself")
	assert.NotEqual(t, first.header["Forwarded"], second.header["Forwarded"])
	assert.Regexp(t, `^for="127\.0\.0\.1:\d+";proto=http;connection=\d+$`, first.header.Get("Forwarded"))
	assert.Equal(t, "127.0.0.1", first.header.Get("X-Forwarded-For"))
	assert.Equal(t, "10.1.2.3, 127.0.0.1", second.header.Get("X-Forwarded-For"))
	assert.NotContains(t, strings.Join(second.header["Forwarded"], ","), "10.1.2.3")
	assert.NotContains(t, second.header, "Connection")
	assert.Equal(t, addr, first.host)

	t.Run("over IPv6", func(t *testing.T) {
		if addr6 == "" {
			t.Skip("this machine has no IPv6")
		}
		third := ask(newClient(t, addr6, "::1"))
		assert.Regexp(t, `^for="\[::1\]:\d+";proto=http;connection=\d+$`, third.header.Get("Forwarded"))
	})
}

// By its connection a plain client is told from others that send the same. nginx's own limit is 1,000 requests.
func TestConnectionLastsForManyPolls(t *testing.T) {
	s := startServer(t)
	addr, _ := startNginx(t, s.Addr())
	nginx, err := pubsubtest.At("http://" + addr)
	require.NoError(t, err)
	c := nginx.Dial(t) // Go's client leaves a connection by itself where the machine is busy
	for range 1100 {
		c.Send(t, http.MethodGet, "/healthz")
		require.Equal(t, http.StatusOK, c.Receive(t, http.MethodGet).Status)
	}
}
