package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/settings"
)

// withTLS are settings with a certificate in files.
func withTLS(t *testing.T) (settings.Settings, *x509.Certificate) {
	set := open()
	return set, withCertificate(t, &set)
}

func withCertificate(t *testing.T, set *settings.Settings) *x509.Certificate {
	dir := t.TempDir()
	set.TLSCert, set.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return pubsubtest.Certificate(t, set.TLSCert, set.TLSKey, 1)
}

// overTLS makes the clients of a server speak TLS, and HTTP/2 if that is asked for.
func (r *running) overTLS(t *testing.T, http2 bool, certificates ...*x509.Certificate) *running {
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c)
	}
	config := &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	return &running{addr: r.addr, tls: config, http: &http.Client{Transport: transport}, stop: r.stop}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	set, certificate := withTLS(t)
	s := start(t, set)
	for _, http2 := range []bool{true, false} {
		c := s.overTLS(t, http2, certificate)
		resp, err := c.http.Get(c.url("/healthz"))
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, map[bool]int{true: 2, false: 1}[http2], resp.ProtoMajor)
		require.Equal(t, "max-age=31536000", resp.Header.Get("Strict-Transport-Security"))
		require.GreaterOrEqual(t, resp.TLS.Version, uint16(tls.VersionTLS12))
	}
	old := s.overTLS(t, false, certificate)
	old.tls.MaxVersion = tls.VersionTLS11
	_, err := tls.Dial("tcp", s.addr, old.tls)
	require.Error(t, err)
	for _, way := range ways {
		stream := s.overTLS(t, false, certificate).stream(t, way, "/sub/room?since=all")
		require.Equal(t, http.StatusOK, s.overTLS(t, true, certificate).say(t, way.name))
		require.Equal(t, way.name, last(stream.texts(t, 1+map[string]int{"sse": 0, "ndjson": 1, "websocket": 2}[way.name])))
		stream.Close()
	}
}

func last(texts []string) string { return texts[len(texts)-1] }

// A certificate is changed while requests come, and none of them fails.
func TestCertificatesAreReadAgain(t *testing.T) {
	t.Parallel()
	set, first := withTLS(t)
	s := start(t, set)
	second := pubsubtest.Certificate(t, set.TLSCert+".new", set.TLSKey+".new", 2)
	var requests sync.WaitGroup
	var serial, failed atomic.Int64
	stop := make(chan struct{})
	for range 4 {
		c := s.overTLS(t, false, first, second)
		c.http.Transport.(*http.Transport).DisableKeepAlives = true
		requests.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := c.http.Get(c.url("/healthz"))
				if err != nil {
					failed.Add(1)
					continue
				}
				resp.Body.Close()
				serial.Store(resp.TLS.PeerCertificates[0].SerialNumber.Int64())
			}
		})
	}
	require.Eventually(t, func() bool { return serial.Load() == 1 }, patience, time.Millisecond)
	require.NoError(t, os.Rename(set.TLSCert+".new", set.TLSCert)) // for a moment they do not belong together
	require.NoError(t, os.Rename(set.TLSKey+".new", set.TLSKey))
	future := time.Now().Add(time.Minute)
	require.NoError(t, os.Chtimes(set.TLSKey, future, future))
	require.Eventually(t, func() bool { return serial.Load() == 2 }, patience, time.Millisecond)
	require.NoError(t, os.WriteFile(set.TLSCert, []byte("nonsense"), 0o600))
	require.Never(t, func() bool { return failed.Load() > 0 }, 2*time.Second, 100*time.Millisecond)
	close(stop)
	requests.Wait()
	require.EqualValues(t, 2, serial.Load())
}

// Polls over HTTP/2 that hang up leave nothing, each by itself or all with their connection.
func TestPollsOverHTTP2ThatHangUp(t *testing.T) {
	t.Parallel()
	set, certificate := withTLS(t)
	s := start(t, set)
	c := s.overTLS(t, true, certificate)
	const polls = 200
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range polls {
		all.Go(func() {
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, c.url(fmt.Sprintf("/sub/room%d?since=now&timeout=60", i%5)), nil)
			resp, err := c.http.Do(r)
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	c.polling(t, polls)
	cancel()
	all.Wait()
	c.polling(t, 0)
	waiting := c.overTLS(t, true, certificate)
	for i := range polls {
		all.Go(func() {
			resp, err := waiting.http.Get(c.url(fmt.Sprintf("/sub/room%d?since=now&timeout=60", i%5)))
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	c.polling(t, polls)
	s.http.CloseIdleConnections()
	require.Equal(t, http.StatusOK, c.say(t, "not there"))
	for i := range 5 {
		c.do(t, http.MethodPost, fmt.Sprintf("/pub/room%d?message=hi", i), "")
	}
	all.Wait()
	c.polling(t, 0)
}

// One poll of an HTTP/2 connection that has to make room does not end the others.
func TestDisplacedPollsOverHTTP2(t *testing.T) {
	t.Parallel()
	set, certificate := withTLS(t)
	set.MaxPolls = 4
	s := start(t, set)
	c := s.overTLS(t, true, certificate)
	answers := make(chan int, 4)
	for i := range 4 {
		go func() {
			resp, err := c.http.Get(c.url(fmt.Sprintf("/sub/room%d?since=now&timeout=60", i)))
			if err != nil {
				answers <- 0
				return
			}
			resp.Body.Close()
			answers <- resp.StatusCode
		}()
	}
	c.polling(t, 4)
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 77)}}).Dial("tcp", s.addr)
	require.NoError(t, err)
	config := c.tls.Clone()
	config.ServerName = "127.0.0.1"
	other := tls.Client(conn, config)
	defer other.Close()
	other.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(other, request("/sub/other?since=now&timeout=60"))
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, <-answers)
	c.polling(t, 4)
	for i := range 4 {
		c.do(t, http.MethodPost, fmt.Sprintf("/pub/room%d?message=hi", i), "")
	}
	for range 3 {
		require.Equal(t, http.StatusOK, <-answers)
	}
}

// Over HTTP/2 a browser's tabs share a connection. There, too, a plain poll goes on from
// where its client was, and an X-Client-ID tells tabs apart.
func TestPlainPollsOverHTTP2(t *testing.T) {
	t.Parallel()
	set, certificate := withTLS(t)
	c := start(t, set).overTLS(t, true, certificate)
	ask := func(id string) string {
		_, text := c.do(t, http.MethodGet, "/sub/room", "", "X-Client-ID: "+id)
		return text
	}
	poll := func(id string) string {
		answer := make(chan string)
		go func() { answer <- ask(id) }()
		c.polling(t, 1)
		c.say(t, "for "+id)
		return <-answer
	}
	require.Contains(t, poll("one"), "for one")
	require.Contains(t, poll(""), "for ")
	require.Contains(t, poll("two"), "for two")
	require.Contains(t, ask("one"), `"message":"for "`, "which it was not given yet")
	require.Contains(t, ask("one"), "for two")
	require.Contains(t, ask(""), "for two")
}

// Plain HTTP is sent to HTTPS.
func TestRedirect(t *testing.T) {
	t.Parallel()
	set, _ := withTLS(t)
	s, err := newServer(t, set)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Redirect(ctx, l, &net.TCPAddr{Port: 8443}); close(done) }()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Post("http://"+l.Addr().String()+"/pub/room?a=b", "text/plain", bytes.NewReader(nil))
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusPermanentRedirect, resp.StatusCode)
	require.Equal(t, "https://127.0.0.1:8443/pub/room?a=b", resp.Header.Get("Location"))
	for host, location := range map[string]string{
		"[::1]": "https://[::1]:8443/", "[::1]:80": "https://[::1]:8443/", "chat:80": "https://chat:8443/",
	} {
		r, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String(), nil)
		require.NoError(t, err)
		r.Host = host
		resp, err := client.Do(r)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, location, resp.Header.Get("Location"))
	}
	old, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer old.Close()
	_, err = io.WriteString(old, "GET / HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	said, err := io.ReadAll(old)
	require.NoError(t, err)
	require.Contains(t, string(said), "The request has no Host")
	cancel()
	<-done
	client.CloseIdleConnections()
}

// Connections that wait to be sent to HTTPS are limited as the others are.
func TestConnectionsForARedirectAreLimited(t *testing.T) {
	t.Parallel()
	set, _ := withTLS(t)
	set.MaxConnectionsPerAddress = 3
	s, err := newServer(t, set)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Redirect(ctx, l, l.Addr()); close(done) }()
	defer func() { cancel(); <-done }()
	for range set.MaxConnectionsPerAddress {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer c.Close()
	}
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	turnedAway(t, c, http.StatusTooManyRequests, "connections are open from your address")
}

// Requests over HTTP/2 whose bodies do not come are bounded for an address.
// Whoever opens connections fast waits, and nobody else. One that would have to wait for long
// is turned away.
func TestNewConnectionsOfOneAddressArePaced(t *testing.T) {
	t.Parallel()
	set, certificate := withTLS(t)
	set.RequestRate = 2 // a connection in 2.5 seconds, or one with TLS in 10
	secure := start(t, set).overTLS(t, false, certificate)
	config := secure.tls.Clone()
	config.ServerName = "127.0.0.1"
	handshake := func(s *running, address string) error {
		return tls.Client(s.dialFrom(t, address, ""), config).HandshakeContext(t.Context())
	}
	require.NoError(t, handshake(secure, "127.0.0.66"))
	require.ErrorContains(t, handshake(secure, "127.0.0.66"), "does not look like a TLS handshake")
	require.NoError(t, handshake(secure, "127.0.0.67"))

	proxied := set
	proxied.TrustedHops = 1 // all come from the proxy
	behind := start(t, proxied)
	for range 3 {
		require.NoError(t, handshake(behind, "127.0.0.66"))
	}

	set.TLSCert, set.TLSKey, set.RequestRate = "", "", .5
	plain := start(t, set)
	status, _ := answer(t, plain.dialFrom(t, "127.0.0.66", "/healthz"))
	require.Equal(t, http.StatusOK, status)
	turnedAway(t, plain.dialFrom(t, "127.0.0.66", ""), 429, "opens connections faster")
	status, _ = answer(t, plain.dialFrom(t, "127.0.0.67", "/healthz"))
	require.Equal(t, http.StatusOK, status)
}

func TestBodiesOverHTTP2(t *testing.T) {
	t.Parallel()
	set, certificate := withTLS(t)
	set.MaxConnectionsPerAddress = 16
	c := start(t, set).overTLS(t, true, certificate)
	require.Equal(t, http.StatusOK, c.say(t, "first")) // so that there is a connection, which all share
	const posts = 20
	statuses := make(chan int, posts)
	var bodies []*io.PipeWriter
	for range posts {
		body, write := io.Pipe()
		bodies = append(bodies, write)
		go func() {
			resp, err := c.http.Post(c.url("/pub/room"), "application/x-www-form-urlencoded", body)
			if err != nil {
				statuses <- 0
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		}()
	}
	for range posts - set.MaxConnectionsPerAddress {
		require.Equal(t, http.StatusTooManyRequests, <-statuses)
	}
	for _, body := range bodies {
		go func() {
			_, _ = io.WriteString(body, "message=hi")
			body.Close()
		}()
	}
	for range set.MaxConnectionsPerAddress {
		require.Equal(t, http.StatusOK, <-statuses)
	}
	require.Equal(t, http.StatusOK, c.say(t, "again"))
}
