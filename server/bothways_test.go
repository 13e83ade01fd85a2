package server_test

import (
	"bufio"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/settings"
)

// visit is what clients of a server do, and all that they are sent.
type visit struct {
	t    *testing.T
	s    *running
	seen strings.Builder
}

// visitor is one connection of a visit.
type visitor struct {
	*visit
	name string
	net.Conn
	r *bufio.Reader
}

func (v *visit) connect(name, from string) *visitor {
	c := v.s.dialFrom(v.t, from, "")
	if v.s.tls != nil {
		config := v.s.tls.Clone()
		config.ServerName = "127.0.0.1"
		c = tls.Client(c, config)
	}
	v.t.Cleanup(func() { c.Close() })
	return &visitor{v, name, c, bufio.NewReader(c)}
}

func (v *visit) note(format string, a ...any) { fmt.Fprintf(&v.seen, format+"\n", a...) }

// publish posts on a connection of its own.
func (v *visit) publish(path, message string) {
	resp, body := v.s.do(v.t, "POST", path, fmt.Sprintf(`{"nick":"bob","message":%q}`, message), "Content-Type: application/json")
	require.Equal(v.t, http.StatusOK, resp.StatusCode, body)
}

func (c *visitor) send(raw string) {
	_, err := io.WriteString(c, raw)
	require.NoError(c.t, err)
}

func (c *visitor) ask(path string, headers ...string) { c.send(head("GET", path, headers...)) }

// hear notes the next answer as it came, and returns its cursor.
func (c *visitor) hear() (cursor string) {
	raw := c.answer()
	c.note("%s is sent:\n%s", c.name, raw)
	if head, body, _ := strings.Cut(raw, "\r\n\r\n"); strings.Contains(head, "Content-Encoding: gzip") {
		plain, err := gzip.NewReader(strings.NewReader(body))
		require.NoError(c.t, err)
		text, err := io.ReadAll(plain)
		require.NoError(c.t, err)
		raw = string(text)
		c.note("which is %s", raw)
	}
	if m := regexp.MustCompile(`"cursor":"([^"]*)"`).FindStringSubmatch(raw); m != nil {
		return m[1]
	}
	return ""
}

func (c *visitor) answer() string {
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	lines := c.lines()
	h, err := textproto.NewReader(bufio.NewReader(strings.NewReader(lines[strings.Index(lines, "\r\n")+2:]))).ReadMIMEHeader()
	require.NoError(c.t, err, lines)
	switch {
	case strings.HasPrefix(lines, "HTTP/1.1 304"), strings.HasPrefix(lines, "HTTP/1.1 204"):
		return lines
	case h.Get("Transfer-Encoding") == "chunked":
		for body := ""; ; {
			size := c.line()
			n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 32)
			require.NoError(c.t, err)
			body += size + c.bytes(int(n)+2)
			if n == 0 {
				return lines + body
			}
		}
	}
	n, _ := strconv.Atoi(h.Get("Content-Length"))
	return lines + c.bytes(n)
}

func (c *visitor) lines() string {
	for all := ""; ; {
		line := c.line()
		if all += line; line == "\r\n" {
			return all
		}
	}
}

func (c *visitor) line() string {
	line, err := c.r.ReadString('\n')
	require.NoError(c.t, err, "%s has %q", c.name, line)
	return line
}

func (c *visitor) bytes(n int) string {
	b := make([]byte, n)
	_, err := io.ReadFull(c.r, b)
	require.NoError(c.t, err)
	return string(b)
}

// ends notes that the connection is closed, and nothing else comes.
func (c *visitor) ends() {
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	rest, err := io.ReadAll(c.r)
	require.NoError(c.t, err)
	c.note("%s is sent %q, and the end", c.name, rest)
}

// over is ends where what was not read may have the end be a reset.
func (c *visitor) over() {
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(patience)))
	rest, _ := io.ReadAll(c.r)
	c.note("%s is sent %q, and the end", c.name, rest)
}

// varies is what no two servers say alike.
var varies = []struct{ what, by string }{
	{`Date: [^\r]*`, "Date: D"},
	{`time=\S+`, "time=T"},
	{`:\d{5}\b`, ":port"},
	{`Retry-After: \d+`, "Retry-After: N"},
	{`[a-z2-7]{12}(\.[a-z2-7]{4})?-`, "epoch-"},
	{`"timestamp":\d+\.\d+`, `"timestamp":T`},
	{`(?s)(Content-Encoding: gzip.{0,200}?Content-Length: )\d+\r\n\r\n.*?\nwhich is`, "${1}N\n\nwhich is"},
}

func (v *visit) all() string {
	text := v.seen.String()
	for _, each := range varies {
		text = regexp.MustCompile(each.what).ReplaceAllString(text, each.by)
	}
	return text
}

// Polls that wait without a goroutine are answered like those that have one, to the byte:
// the first on a connection, and the next ones, whatever comes between.
func TestBothWaysOfWaitingLookTheSame(t *testing.T) {
	t.Parallel()
	const other = "127.0.0.9"
	long := strings.Repeat("This is long. ", 300) // over 2,048 bytes
	for name, c := range map[string]struct {
		set   func(*settings.Settings)
		visit func(v *visit)
	}{
		"messages one after the other": {visit: func(v *visit) {
			c := v.connect("ann", "127.0.0.1")
			at := "now"
			for i := range 5 {
				c.ask("/sub/room?since=" + at)
				v.s.polling(v.t, 1)
				v.publish("/pub/room", fmt.Sprint(i))
				at = c.hear()
			}
			for range 2 {
				c.ask("/sub/room?timeout=0.1&since=" + at)
				c.hear()
			}
			c.ask("/sub/room?since=-2")
			c.hear()
			c.ask("/sub/room?since=all&timeout=0")
			c.hear()
		}},
		"between polls": {visit: func(v *visit) {
			c := v.connect("ann", "127.0.0.1")
			at := "now"
			for i, between := range []string{
				request("/healthz"), request("/sub/room?since=nonsense"), request("/sub/room?since=now&timeout=x"), request("/sub/a%2Fb?since=now"),
				head("POST", "/pub/other?message=posted", "Content-Length: 0"), head("OPTIONS", "/sub/room?since=now", "Origin: https://a.example", "Access-Control-Request-Method: GET"),
				head("GET", "/sub/room?since=now", "Content-Length: 1") + "x", head("HEAD", "/sub/room?since=now"), request("/nothing?since=now"),
				head("GET", "/sub/room?since=now&timeout=0", "Origin: https://a.example"), head("GET", "/sub/room?since=now&timeout=0.1", "X-Request-ID: abc"),
				"GET /sub/room?since=now&timeout=0.1 HTTP/1.1\r\nHost: chat\r\nX-Y: z\r\n\r\n", request("/sub/room?since=another-5&timeout=5"), request("/sub/room?since=now,now&timeout=5"),
			} {
				c.ask("/sub/room?since=" + at)
				v.s.polling(v.t, 1)
				v.publish("/pub/room", fmt.Sprint(i))
				at = c.hear()
				c.send(between)
				if strings.HasPrefix(between, "HEAD") {
					c.note("%s", c.lines())
				} else {
					c.hear()
				}
			}
			c.send("GET /sub/room?since=now HTTP/1.1\r\n\r\n") // no Host
			c.hear()
			c.ends()
		}},
		"headers": {set: func(s *settings.Settings) { s.AllowedOrigins = []string{"https://a.example"} }, visit: func(v *visit) {
			c := v.connect("ann", "127.0.0.1")
			at := "now"
			for i, headers := range [][]string{
				{"Origin: https://a.example"}, {"X-Request-ID: 1", "Origin: https://a.example"}, {"Accept-Encoding: gzip"}, {"Accept-Encoding: identity", "X-Request-ID: 2"}, nil,
				{"Accept-Encoding: gzip", "X-Request-ID: 3", "Origin: https://a.example"}, {"Accept: text/html"}, {"Connection: keep-alive"}, {"Accept-Encoding: br"},
			} {
				for _, message := range []string{"short", long[:1100], long} {
					c.ask("/sub/room?since="+at, headers...)
					v.s.polling(v.t, 1)
					v.publish("/pub/room", fmt.Sprint(i, message))
					at = c.hear()
				}
				c.ask("/sub/room?timeout=0.1&since="+at, headers...)
				c.hear()
			}
			c.ask("/sub/room?since="+at, "Connection: close")
			v.s.polling(v.t, 1)
			v.publish("/pub/room", "last")
			c.hear()
			c.ends()
			c = v.connect("bob", "127.0.0.1")
			c.ask("/sub/room?since="+at, "Connection: close", "X-Request-ID: 4")
			c.hear()
			c.ends()
			c = v.connect("cid", "127.0.0.1")
			c.ask("/sub/room?since=now", "Connection: close")
			v.s.polling(v.t, 1)
			v.publish("/pub/room", "last")
			c.hear()
			c.ends()
		}},
		"several channels": {set: func(s *settings.Settings) { s.HistoryMessages = 3 }, visit: func(v *visit) {
			c := v.connect("ann", "127.0.0.1")
			v.publish("/pub/b", "0")
			at := "now"
			for i := range 6 {
				c.ask("/sub/a,b?since=" + at)
				v.s.polling(v.t, 1)
				v.publish([]string{"/pub/a", "/pub/b"}[i%2], fmt.Sprint(i))
				at = c.hear()
			}
			for i := range 10 {
				v.publish("/pub/a", fmt.Sprint(i))
				v.publish("/pub/b", fmt.Sprint(i))
			}
			for range 3 {
				c.ask("/sub/a,b?timeout=0.1&since=" + at)
				at = c.hear()
			}
		}},
		"by ids": {visit: func(v *visit) {
			c := v.connect("ann", "127.0.0.1")
			for _, path := range []string{"/subscribe/room?last_event_id=", "/api/poll/room?last_message_id="} {
				id := 0
				resp, body := v.s.do(v.t, "GET", "/sub/room?since=now&timeout=0", "")
				require.Equal(v.t, http.StatusOK, resp.StatusCode)
				_, err := fmt.Sscanf(body[strings.LastIndex(body, `start":"`):], `start":"%s`, &body)
				require.NoError(v.t, err)
				_, err = fmt.Sscanf(body[strings.Index(body, "-")+1:], "%d", &id)
				require.NoError(v.t, err)
				for i := range 4 {
					c.ask(path + fmt.Sprint(id))
					v.s.polling(v.t, 1)
					v.publish("/pub/room", fmt.Sprint(i))
					c.hear()
					id++
				}
				c.ask(path + fmt.Sprint(id-2) + "&timeout=5")
				c.hear()
				c.ask(path + fmt.Sprint(id) + "&timeout=0.1")
				c.hear()
				c.ask(path + fmt.Sprint(id+5) + "&timeout=5") // of a log that has begun anew, it seems
				c.hear()
				c.ask(path + "x")
				c.hear()
				c.ask("/sub/room?since=now&timeout=0.1")
				c.hear()
			}
		}},
		"one after the other in one write": {visit: func(v *visit) {
			c := v.connect("ann", "127.0.0.1")
			for i := range 3 {
				c.send(request("/sub/room?since=now") + request("/sub/room?since=-1&timeout=5") + request("/healthz") + request("/sub/room?since=now&timeout=0.1"))
				v.s.polling(v.t, 1)
				v.publish("/pub/room", fmt.Sprint(i))
				for range 4 {
					c.hear()
				}
			}
			whole := request("/sub/room?since=now&timeout=0.1")
			for cut := range []int{1, 10, len(whole) - 1} {
				c.send(whole[:cut])
				require.Equal(v.t, 0, c.r.Buffered())
				c.send(whole[cut:])
				c.hear()
			}
		}},
		"polls per address": {set: func(s *settings.Settings) { s.MaxPollsPerAddress = 1 }, visit: func(v *visit) {
			a, b := v.connect("ann", "127.0.0.1"), v.connect("bob", "127.0.0.1")
			for i := range 3 {
				a.ask("/sub/room?since=now")
				v.s.polling(v.t, 1)
				b.ask("/sub/room?since=now")
				b.hear()
				v.publish("/pub/room", fmt.Sprint(i))
				a.hear()
				b.ask("/sub/room?since=now")
				v.s.polling(v.t, 1)
				v.publish("/pub/room", fmt.Sprint(i))
				b.hear()
			}
		}},
		"polls in all": {set: func(s *settings.Settings) { s.MaxPolls = 2 }, visit: func(v *visit) {
			for range 2 {
				a, b, c := v.connect("ann", "127.0.0.1"), v.connect("bob", "127.0.0.1"), v.connect("cid", other)
				for _, each := range []*visitor{a, b, c} { // all have waited before
					each.ask("/sub/room?since=now")
					v.s.polling(v.t, 1)
					v.publish("/pub/room", "hi")
					each.hear()
				}
				a.ask("/sub/room?since=now", "X-Request-ID: a")
				v.s.polling(v.t, 1)
				b.ask("/sub/room?since=now")
				v.s.polling(v.t, 2)
				c.ask("/sub/room?since=now")
				a.hear() // it made room
				a.ends()
				v.s.polling(v.t, 2)
				v.publish("/pub/room", "hi")
				b.hear()
				c.hear()
			}
		}},
		"polls of the default channel": {set: func(s *settings.Settings) { s.MaxPollsPerClient = 1 }, visit: func(v *visit) {
			a, b := v.connect("ann", "127.0.0.1"), v.connect("bob", "127.0.0.1")
			for _, path := range []string{"/sub?since=now", "/sub/chat?since=now", "/sub/chat,b?since=now"} {
				a.ask(path, "X-Client-ID: one", "X-Request-ID: 7")
				v.s.polling(v.t, 1)
				b.ask("/sub/chat?since=now&timeout=0.001", "X-Client-ID: one")
				a.hear()
				b.hear()
			}
		}},
		"polls per channel": {set: func(s *settings.Settings) { s.MaxPollsPerChannel = 1 }, visit: func(v *visit) {
			a, b := v.connect("ann", "127.0.0.1"), v.connect("bob", other)
			for i := range 3 {
				a.ask("/sub/room?since=now")
				v.s.polling(v.t, 1)
				b.ask("/sub/room?since=now")
				b.hear()
				v.publish("/pub/room", fmt.Sprint(i))
				a.hear()
			}
		}},
		"polls per client": {set: func(s *settings.Settings) { s.MaxPollsPerClient = 1 }, visit: func(v *visit) {
			a, b := v.connect("ann", "127.0.0.1"), v.connect("bob", "127.0.0.1")
			for i := range 3 {
				a.ask("/sub/room?since=now", "X-Client-ID: one")
				v.s.polling(v.t, 1)
				b.ask("/sub/room?since=now", "X-Client-ID: one")
				a.hear()
				v.s.polling(v.t, 1)
				v.publish("/pub/room", fmt.Sprint(i))
				b.hear()
			}
		}},
		"behind a proxy": {set: func(s *settings.Settings) { s.TrustedHops, s.MaxPollsPerAddress = 1, 1 }, visit: func(v *visit) {
			const ann, bob = "X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 203.0.113.2"
			a, b := v.connect("one", "127.0.0.1"), v.connect("two", "127.0.0.1")
			for i := range 3 { // each on the other's connection in turn
				a.ask("/sub/room?since=now", []string{ann, bob}[i%2])
				v.s.polling(v.t, 1)
				b.ask("/sub/room?since=now", []string{ann, bob}[i%2], "X-Request-ID: 1")
				b.hear() // the address has a poll already
				b.ask("/sub/room?since=now", []string{bob, ann}[i%2])
				v.s.polling(v.t, 2)
				v.publish("/pub/room", fmt.Sprint(i))
				a.hear()
				b.hear()
			}
		}},
		"what is refused": {visit: func(v *visit) {
			c := v.connect("ann", "127.0.0.1")
			c.ask("/sub/room?since=now&timeout=0.001")
			c.hear()
			for _, text := range []string{
				head("GET", "/sub/room?since=now&timeout=0.001", "X-Client-ID: "+strings.Repeat("x", 129)), request("/sub/room?since=now&timeout=0.001&presence=%00"), request("/sub/room?since=now&timeout=0.001&presence=" + strings.Repeat("x", 200)),
				request("/sub/room?since=%zz&timeout=0.001"), request("/sub/" + strings.Repeat("c,", 70) + "c?since=now&timeout=0.001"), request("/sub/?since=now&timeout=0.001"), request("/sub/room/?since=now&timeout=0.001"), request("//sub/room?since=now&timeout=0.001"),
				request("/sub/room?since=now&since=-1&timeout=0.001"), request("/sub/room?%73ince=now&timeout=0.001"), request("/sub?since=now&timeout=0.001"), request("/sub/room?timeout=0.001&since=now#x"),
				head("GET", "/sub/room?since=now&timeout=0.001", "Expect: 100-continue"), head("GET", "/sub/room?since=now&timeout=0.001", "Accept: text/html"),
				"GET http://chat/sub/room?since=now&timeout=0.001 HTTP/1.1\r\nHost: other\r\n\r\n", head("GET", "/sub/room?since=now&timeout=0.001", "X-Long: "+strings.Repeat("x", 6000)),
				head("GET", "/sub/room?since=now&timeout=0.001", "Content-Length: 3") + "abc", head("POST", "/sub/room?since=now&timeout=0.001", "Content-Length: 3") + "abc",
			} {
				c.ask("/sub/room?since=now&timeout=0.001") // so that the loop has it again
				c.hear()
				c.send(text)
				c.hear()
			}
			c.send(request("/sub/room?since=now&timeout=0.001") + head("POST", "/pub/room", "Content-Type: application/json", "Content-Length: 16") + `{"message":"hi"}` + request("/sub/room?since=-1"))
			c.hear()
			c.hear()
			c.hear()
			for _, text := range []string{
				"GET /sub/room?since=now&timeout=0.001 HTTP/1.0\r\nHost: chat\r\n\r\n", "GET /sub/room?since=now&timeout=0.001 HTTP/1.1\r\nHost: chat\r\nHost: chat\r\n\r\n",
				"GET /sub/room?since=now&timeout=0.001 HTTP/1.1\r\nHost: chat\r\nX Y: z\r\n\r\n", head("GET", "/sub/room?since=now&timeout=0.001", "X-Long: "+strings.Repeat("x", 30_000)),
				"GET /sub/room?since=now\x00 HTTP/1.1\r\nHost: chat\r\n\r\n", head("GET", "/sub/room?since=now&timeout=0.001", "Transfer-Encoding: gzip"),
			} {
				c := v.connect("bob", "127.0.0.1")
				c.ask("/sub/room?since=now&timeout=0.001")
				c.hear()
				c.send(text)
				c.hear()
				c.over()
			}
		}},
		"who is here": {visit: func(v *visit) {
			c, d := v.connect("ann", "127.0.0.1"), v.connect("bob", other)
			for i := range 3 {
				c.ask("/sub/room?since=now&presence=ann")
				v.s.polling(v.t, 1)
				d.ask("/presence/room")
				d.hear()
				v.publish("/pub/room", fmt.Sprint(i))
				c.hear()
			}
			c.ask("/sub/room?since=now&presence=")
			c.hear()
		}},
		"the end": {visit: func(v *visit) {
			a, b := v.connect("ann", "127.0.0.1"), v.connect("bob", "127.0.0.1")
			a.ask("/sub/room?since=now")
			v.s.polling(v.t, 1)
			v.publish("/pub/room", "hi")
			at := a.hear()
			a.ask("/sub/room?since=" + at)
			b.ask("/sub/room?since="+at, "X-Request-ID: b")
			v.s.polling(v.t, 2)
			require.NoError(v.t, v.s.stop())
			a.hear()
			a.ends()
			b.hear()
			b.ends()
		}},
	} {
		look := func(t *testing.T, crowd, secure bool) string {
			set := open()
			if set.Crowd = crowd; c.set != nil {
				c.set(&set)
			}
			var certificate *x509.Certificate
			if secure {
				certificate = withCertificate(t, &set)
			}
			s, log := startLogging(t, set)
			if secure {
				s = s.overTLS(t, false, certificate)
			}
			v := &visit{t: t, s: s}
			c.visit(v)
			v.note("the log has:\n%s", log.String())
			return v.all()
		}
		for transport, secure := range map[string]bool{"plain": false, "TLS": true} {
			t.Run(name+" over "+transport, func(t *testing.T) {
				t.Parallel()
				seen := look(t, true, secure)
				require.Equal(t, look(t, false, secure), seen)
				require.NotEmpty(t, seen)
			})
		}
	}
}
