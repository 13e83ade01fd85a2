package server_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	hostileRequests = flag.Int("hostile.requests", 2500, "hostile requests")
	hostileClients  = flag.Int("hostile.clients", 200, "clients that chat meanwhile")
)

// head is the first lines of a request.
func head(method, path string, headers ...string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: chat\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

func postOf(path, contentType, body string) string {
	return head("POST", path, "Content-Type: "+contentType, fmt.Sprint("Content-Length: ", len(body))) + body
}

const (
	jsonBody = "application/json"
	formBody = "application/x-www-form-urlencoded"
)

// hostile is what strangers send. Each kind is refused, or answered, or hung up
// on; none costs anybody else anything.
var hostile = map[string]string{
	"garbage":                     "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS",
	"binary noise":                strings.Repeat("\x00\xff\x80\n", 500),
	"HTTP/0.9":                    "GET /\r\n\r\n",
	"another protocol":            "SSH-2.0-OpenSSH_9.2\r\n",
	"HTTP/2 preface":              "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"no Host":                     "GET /sub HTTP/1.1\r\n\r\n",
	"two Hosts":                   head("GET", "/debug", "Host: other"),
	"a huge header":               head("GET", "/debug", "X-Long: "+strings.Repeat("a", 1<<20)),
	"ten thousand headers":        head("GET", "/debug", strings.Repeat("X-A: b\r\n", 10_000)+"X-B: c"),
	"a header with NUL":           head("GET", "/debug", "X-Nul: a\x00b"),
	"a huge path":                 head("GET", "/"+strings.Repeat("a", 12_000)),
	"an absurd query":             head("GET", "/sub?"+strings.Repeat("since=now&", 1000)),
	"a query that is not encoded": head("GET", "/sub?since=%zz"),
	"a path out of the folder":    head("GET", "/../../../../etc/passwd"),
	"the same, encoded":           head("GET", "/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
	"the same, backwards":         head("GET", `/..\..\windows\win.ini`),
	"a path with NUL":             head("GET", "/pubsub.css%00.html"),
	"a channel that is a path":    head("GET", "/sub/..%2f..%2fetc"),
	"a long channel":              head("GET", "/sub/"+strings.Repeat("c", 200)),
	"a channel in Chinese":        head("GET", "/sub/%E8%81%8A%E5%A4%A9"),
	"an empty channel":            head("GET", "/sub/"),
	"a cursor of digits":          head("GET", "/sub?since=a-"+strings.Repeat("9", 400)),
	"a negative timeout":          head("GET", "/sub?since=now&timeout=-1"),
	"a timeout that is no number": head("GET", "/sub?since=now&timeout=NaN"),
	"an id that is no number":     head("GET", "/subscribe/c?last_event_id=1e9"),
	"a time that is no number":    head("GET", "/api/poll/c?since=Infinity"),
	"a length that is no number":  head("GET", "/chat?cur_len=many"),
	"an unknown method":           head("BREW", "/pub"),
	"CONNECT":                     head("CONNECT", "other.example:443"),
	"TRACE":                       head("TRACE", "/sub"),
	"DELETE":                      head("DELETE", "/sub"),
	"a poll with a body":          head("GET", "/sub", "Content-Length: 5") + "hello",
	"a long client id":            head("GET", "/sub", "X-Client-ID: "+strings.Repeat("x", 2000)),
	"a long key":                  head("POST", "/pub?message=x", "Idempotency-Key: "+strings.Repeat("k", 2000)),
	"an empty body":               postOf("/pub", formBody, ""),
	"a form of noise":             postOf("/pub", formBody, "\x00\xff=%&%%%"),
	"text that is not UTF-8":      postOf("/pub", formBody, "message=%ff%fe"),
	"a body of a mebibyte":        postOf("/pub", formBody, "message="+strings.Repeat("x", 1<<20)),
	"JSON cut short":              postOf("/pub", jsonBody, `{"message": "hi`),
	"JSON that is no object":      postOf("/api/publish/c", jsonBody, `[1, 2]`),
	"JSON that is not UTF-8":      postOf("/api/publish/c", jsonBody, "{\"a\":\"\xff\"}"),
	"deep JSON":                   postOf("/api/publish/c", jsonBody, `{"a":`+strings.Repeat("[", 8000)+strings.Repeat("]", 8000)+"}"),
	"a huge number":               postOf("/api/publish/c", jsonBody, `{"n":1e999}`),
	"a message of a wrong type":   postOf("/pub", jsonBody, `{"message": 5}`),
	"a malformed content type":    postOf("/pub", ";;;", "x"),
	"an unknown content type":     postOf("/pub", "image/png", "\x89PNG"),
	"multipart without boundary":  postOf("/pub", "multipart/form-data", "x"),
	"multipart of noise":          postOf("/pub", "multipart/form-data; boundary=b", "--b\r\n\x00\xff"),
	"a length that is a lie":      head("POST", "/pub", "Content-Type: "+formBody, "Content-Length: 100") + "message=x",
	"a negative length":           head("POST", "/pub", "Content-Length: -5"),
	"two lengths":                 head("POST", "/pub", "Content-Length: 5", "Content-Length: 6") + "hello!",
	"length and chunks":           head("POST", "/pub", "Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n",
	"a chunk that is a lie":       head("POST", "/pub", "Transfer-Encoding: chunked") + "fffffff\r\nabc",
	"a chunk of noise":            head("POST", "/pub", "Transfer-Encoding: chunked") + "zz\r\n",
	"an unknown encoding":         head("POST", "/pub", "Transfer-Encoding: gzip, chunked") + "0\r\n\r\n",
	"a foreign origin":            head("POST", "/pub?message=x", "Origin: https://evil.example"),
	"a pipeline":                  strings.Repeat(head("GET", "/debug"), 50),
	"a pipeline behind a poll":    head("GET", "/sub?since=now&timeout=0.05") + strings.Repeat(head("GET", "/nothing"), 20),
	"an upgrade":                  head("GET", "/sub?timeout=0&since=now", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x"),
	"expecting to continue":       head("POST", "/pub", "Expect: 100-continue", "Content-Length: 9999999"),
	"an invented proxy":           head("GET", "/sub?since=now&timeout=0", "Forwarded: for=192.0.2.1;host=evil", "X-Forwarded-For: 192.0.2.1, garbage"),
	"a proxy of 15 KB":            head("GET", "/api/poll/c?timeout=0", "X-Forwarded-For: "+strings.Repeat("192.0.2.1, ", 1300)),
	"a channel of 15 KB":          head("GET", "/sub/"+strings.Repeat("c", 15_000)+"?since=now"),
	"two keys":                    head("POST", "/pub/c?message=x", "Idempotency-Key: ,", "Idempotency-Key: 2"),
	"channels by reading":         manyOf(50, func(i int) string { return head("GET", fmt.Sprintf("/sub/read-%d?since=all&timeout=0", i)) }),
	"channels by posting": manyOf(50, func(i int) string {
		return head("POST", fmt.Sprintf("/pub/posted-%d?message=x", i), "Idempotency-Key: 1")
	}),
	"conversations of nobody":     manyOf(20, func(i int) string { return head("GET", fmt.Sprintf("/chat?chat_id=read-%d&timeout=0", i)) }),
	"foreign cursors":             strings.Repeat(head("GET", "/sub?since=another-5&timeout=0"), 10),
	"a foreign cursor that waits": head("GET", "/sub/foreign?since=another-5&timeout=60"),
	"the list of channels":        strings.Repeat(head("GET", "/channels"), 20),
	"the list, a name at a time":  head("GET", "/channels?limit=1&after="+strings.Repeat("z", 10_000)),
	"the metrics":                 strings.Repeat(head("GET", "/metrics"), 3),
	"JSON of 90 KB":               postOf("/api/publish/c", jsonBody, `{"a":[`+strings.Repeat("{},", 30_000)+`{}]}`),
	"escapes of 90 KB":            postOf("/api/publish/c", jsonBody, `{"a":"`+strings.Repeat(`\u0001`, 15_000)+`"}`),
	"aliases of the server's":     postOf("/publish/c", jsonBody, `{"message":"x","ID":1,"CHANNEL":"chat","nic\u212a":"x"}`),
	"dots for a channel":          head("POST", "/pub/%2e%2e?message=x"),
	"a newer poll of the client":  head("GET", "/sub/superseded", "X-Client-ID: tab"),
	"a poll, and gone":            head("GET", "/sub/elsewhere"),
	"half a request line":         "GET /su",

	"a stream, and gone":              head("GET", "/sub/elsewhere", "Accept: text/event-stream"),
	"a stream of a foreign cursor":    head("GET", "/sub/c?since=another-5", "Accept: application/x-ndjson"),
	"a stream with a strange id":      head("GET", "/sub/c", "Accept: text/event-stream", "Last-Event-ID: \xff\x01"),
	"a stream of 64 channels":         head("GET", "/sub/"+strings.Join(names(64), ",")+"?since=all", "Accept: text/event-stream"),
	"a stream of 65 channels":         head("GET", "/sub/"+strings.Join(names(65), ",")+"?since=all", "Accept: text/event-stream"),
	"one channel many times":          head("GET", "/sub/"+strings.Repeat("c,", 60)+"c?since=now"),
	"commas":                          head("GET", "/sub/"+strings.Repeat(",", 500)+"?since=now"),
	"a stream, and then a pipeline":   head("GET", "/sub/c", "Accept: text/event-stream") + strings.Repeat(head("GET", "/debug"), 20),
	"a WebSocket, and noise":          upgrade("/sub/c") + strings.Repeat("\xff\x00\x81", 500),
	"a WebSocket, and gone":           upgrade("/sub/c"),
	"a WebSocket of a foreign origin": strings.Replace(upgrade("/sub/c"), "\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n", 1),
	"a frame of 2⁶² bytes":            upgrade("/sub/c") + "\x81\xff\x3f\xff\xff\xff\xff\xff\xff\xff0000",
	"a frame that is never whole":     upgrade("/sub/c") + "\x81\xfe\x10\x000000{",
	"a thousand pings":                upgrade("/sub/c") + strings.Repeat("\x89\x800000", 1000),
	"a thousand empty texts":          upgrade("/sub/c") + strings.Repeat("\x81\x800000", 1000),
	"parts without an end":            upgrade("/sub/c") + "\x01\x810000x" + strings.Repeat("\x00\x810000x", 1000),
}

// upgrade is the handshake of a WebSocket.
func upgrade(path string) string {
	return head("GET", path, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
}

// names are names of channels.
func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("n", i))
	}
	return all
}

// manyOf is a pipeline of so many requests.
func manyOf(n int, request func(i int) string) string {
	var all strings.Builder
	for i := range n {
		all.WriteString(request(i))
	}
	return all.String()
}

// attack sends one hostile request, takes in what comes, and returns the
// statuses of the answers.
func (s *running) attack(raw string) (statuses []int) {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	go io.WriteString(c, raw) // the server may hang up before it has read it all
	if strings.HasSuffix(raw, "elsewhere HTTP/1.1\r\nHost: chat\r\n\r\n") || rand.IntN(4) == 0 {
		return nil // gone without having read a byte
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	answers := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return statuses
		}
		statuses = append(statuses, resp.StatusCode)
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return statuses
		}
	}
}

// Strangers send what they like, and the others chat on: nothing is lost, no
// answer is a 5xx but 503, and the memory comes back.
func TestHostileRequestsWhileOthersChat(t *testing.T) {
	require.GreaterOrEqual(t, len(hostile), 20)
	kinds := make([]string, 0, len(hostile))
	for kind := range hostile {
		kinds = append(kinds, kind)
	}
	s := start(t, open())
	before := heap()

	var clients, strangers sync.WaitGroup
	var published atomic.Uint64
	var done atomic.Bool
	first := cursorOf(t, s.get(t, "/sub?since=now&timeout=0"))
	for range *hostileClients {
		clients.Go(func() {
			client := &fireClient{server: s}
			defer client.hangUp()
			cursor, seen := first, uint64(0)
			for !done.Load() || seen < published.Load() {
				body, _ := client.poll(t, "/sub?timeout=1&since="+cursor, neverCut)
				var page struct {
					Messages []struct{ ID uint64 }
					Cursor   string
					Gap      any
				}
				if !check(t, json.Unmarshal(body, &page) == nil && page.Gap == nil, "%s", body) {
					return
				}
				for _, m := range page.Messages {
					if seen++; !check(t, m.ID == seen, "%d instead of %d", m.ID, seen) {
						return
					}
				}
				cursor = page.Cursor
			}
		})
	}
	clients.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for !done.Load() {
			<-tick.C
			published.Store(s.post(t, "hi"))
		}
	})
	var sent atomic.Int64
	seen := make([]map[int]int, 16)
	for i := range seen {
		seen[i] = map[int]int{}
		strangers.Go(func() {
			for n := sent.Add(1); n <= int64(*hostileRequests); n = sent.Add(1) {
				kind := kinds[n%int64(len(kinds))]
				for _, status := range s.attack(hostile[kind]) {
					seen[i][status]++
					check(t, status < 500 || status == 503, "%s: %d", kind, status)
				}
			}
		})
	}
	strangers.Wait()
	done.Store(true)
	clients.Wait()
	statuses := map[int]int{}
	for _, counts := range seen {
		for status, n := range counts {
			statuses[status] += n
		}
	}
	s.polling(t, 0)
	var grown int64
	require.Eventually(t, func() bool {
		s.http.CloseIdleConnections()
		grown = heap() - before
		return grown < 10<<20
	}, 30*time.Second, time.Second, "the memory comes back")
	t.Logf("%d hostile requests of %d kinds, answers %v; %d clients had all %d messages; %+d KiB, %d goroutines",
		*hostileRequests, len(kinds), statuses, *hostileClients, published.Load(), grown>>10, runtime.NumGoroutine())
}
