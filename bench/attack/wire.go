package attack

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// address is where a connection comes from. Linux has all of 127.0.0.0/8.
type address [4]byte

var (
	attacker = address{127, 0, 0, 66}
	poster   = address{127, 1, 0, 1}
	prober   = address{127, 2, 0, 1}
	proxy    = address{127, 0, 0, 1}
)

// maxPeople is how many addresses person has.
const maxPeople = 50_000

// accomplice is the attacker's i-th further address.
func accomplice(i int) address { return numbered(66, i) }

// person is the address of the i-th honest reader.
func person(i int) address { return numbered(1, 250+i) }

// newcomer is the address of the i-th honest person who comes late.
func newcomer(i int) address { return numbered(2, 250+i) }

func numbered(network byte, i int) address {
	return address{127, network, byte(i / 250), byte(1 + i%250)}
}

// askTimeout is longer than any poll waits that has a timeout.
const askTimeout = 75 * time.Second

// answer is what the server says to one request.
type answer struct {
	status int // 0 if there was none
	body   []byte
}

// caller asks over one connection that is kept, and connects anew when it was
// lost. It is for one goroutine.
type caller struct {
	scene  *scene
	from   address
	counts *answers
	conn   net.Conn
	in     *bufio.Reader
}

// caller is an attacker's; its answers are counted.
func (s *scene) caller(from address) *caller {
	return &caller{scene: s, from: from, counts: &s.answers}
}

// ask sends a request and takes the answer in. It returns a status of 0 when
// there is no answer, or ctx ends.
func (c *caller) ask(ctx context.Context, request []byte) answer {
	return c.askWithin(ctx, askTimeout, request)
}

func (c *caller) askWithin(ctx context.Context, limit time.Duration, request []byte) answer {
	if ctx.Err() != nil {
		return answer{}
	}
	a, err := c.try(ctx, limit, request)
	if err != nil {
		c.hangUp()
		a = answer{}
		select { // a server in trouble is not asked faster than one that answers
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return answer{}
		}
	}
	c.counts.add(a)
	return a
}

func (c *caller) try(ctx context.Context, limit time.Duration, request []byte) (answer, error) {
	end := time.Now().Add(limit)
	if c.conn == nil {
		if err := c.connect(ctx, end); err != nil {
			return answer{}, err
		}
	}
	if err := c.conn.SetDeadline(end); err != nil {
		return answer{}, err
	}
	if c.scene.proxied {
		request = passedOn(c.from, request)
	}
	conn := c.conn
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write(request); err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(response.Body)
	if response.Close {
		c.hangUp()
	}
	return answer{response.StatusCode, body}, err
}

func (c *caller) connect(ctx context.Context, end time.Time) (err error) {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	switch {
	case c.scene.secure:
		c.conn, err = c.scene.dialSecure(ctx, c.from, "http/1.1")
	case c.scene.proxied:
		c.conn, err = c.scene.dial(ctx, proxy, 0)
	default:
		c.conn, err = c.scene.dial(ctx, c.from, 0)
	}
	if err != nil {
		c.conn = nil
		return err
	}
	c.in = bufio.NewReaderSize(c.conn, 4<<10)
	return nil
}

// passedOn is a request as a proxy passes it on.
func passedOn(from address, request []byte) []byte {
	line, rest, _ := bytes.Cut(request, []byte("\r\n"))
	return fmt.Appendf(nil, "%s\r\nX-Forwarded-For: %s\r\n%s", line, net.IP(from[:]), rest)
}

func (c *caller) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn, c.in = nil, nil
	}
}

// dial connects from an address. With a buffer above 0 the kernel takes in hardly more of what is not read.
func (s *scene) dial(ctx context.Context, from address, buffer int) (net.Conn, error) {
	d := net.Dialer{
		Timeout:   15 * time.Second,
		LocalAddr: &net.TCPAddr{IP: net.IP(from[:])},
		KeepAlive: -1,
		Control: func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) {
				// Else the kernel has the same ports for all servers.
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
				if buffer > 0 {
					unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
				}
			})
		},
	}
	c, err := d.DialContext(ctx, "tcp4", s.target.Addr.String())
	if err != nil {
		return nil, err
	}
	// Without this each would hold its port for a minute more.
	c.(*net.TCPConn).SetLinger(0)
	return c, nil
}

// dialSecure is dial with TLS, where a protocol is spoken: http/1.1 or h2.
func (s *scene) dialSecure(ctx context.Context, from address, protocol string) (net.Conn, error) {
	c, err := s.dial(ctx, from, 0)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}) // the certificate signs itself
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return secure, nil
}

// get is a request for path.
func (s *scene) get(path string, headers ...string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + s.target.Host + "\r\n" + strings.Join(append(headers, "", ""), "\r\n"))
}

// post is a request with a body.
func (s *scene) post(path, contentType, body string, headers ...string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s%s",
		path, s.target.Host, contentType, len(body), strings.Join(append(headers, "", ""), "\r\n"), body)
}

// say is the post of a message.
func (s *scene) say(channel, text string, headers ...string) []byte {
	return s.post("/pub/"+channel, "application/x-www-form-urlencoded", "message="+text, headers...)
}

// bigText makes a message that is as long as one may be by default, or nearly.
var bigText = strings.Repeat("x", 16_300)

// answers counts answers by their status. Its zero value has none.
type answers struct {
	byStatus [600]atomic.Int64
	broken   atomic.Int64 // 5xx, but for a 503 that says why
}

func (a *answers) add(got answer) {
	if got.status >= len(a.byStatus) {
		a.broken.Add(1)
		return
	}
	a.byStatus[got.status].Add(1)
	excused := got.status == http.StatusServiceUnavailable && bytes.Contains(got.body, []byte(`"error"`))
	if got.status >= 500 && !excused {
		a.broken.Add(1)
	}
}

// String is like "200 ×12, none ×1".
func (a *answers) String() string {
	var all []string
	for status := range a.byStatus {
		n, name := a.byStatus[status].Load(), fmt.Sprint(status)
		if status == 0 {
			name = "none"
		}
		if n > 0 {
			all = append(all, fmt.Sprintf("%s ×%d", name, n))
		}
	}
	return strings.Join(all, ", ")
}
