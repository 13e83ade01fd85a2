package certs_test

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/certs"
	"pubsub/server/settings"
)

// pair is a certificate and its key in files.
type pair struct {
	set settings.Settings
	log strings.Builder
	at  time.Time // when a file was changed last
}

func newPair(t *testing.T) *pair {
	dir := t.TempDir()
	p := &pair{at: time.Now()}
	p.set.TLSCert, p.set.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return p
}

// open has the certificate with serial number 1, and returns a source of it.
func (p *pair) open(t *testing.T) *certs.Source {
	p.put(t, 1, p.set.TLSCert, p.set.TLSKey)
	source, err := certs.New(&p.set, slog.New(slog.NewTextHandler(&p.log, nil)))
	require.NoError(t, err)
	return source
}

// put replaces these files by those of another certificate.
func (p *pair) put(t *testing.T, serial int64, files ...string) {
	dir := t.TempDir()
	pubsubtest.Certificate(t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), serial)
	for _, file := range files {
		require.NoError(t, os.Rename(filepath.Join(dir, filepath.Base(file)), file))
		p.at = p.at.Add(time.Minute)
		require.NoError(t, os.Chtimes(file, p.at, p.at))
	}
}

// serial is that of the certificate which a connection gets now.
func serial(t *testing.T, source *certs.Source) int64 {
	certificate, err := source.Config().GetCertificate(&tls.ClientHelloInfo{})
	require.NoError(t, err)
	return certificate.Leaf.SerialNumber.Int64()
}

func (p *pair) said(text string) int { return strings.Count(p.log.String(), text) }

// Files that change are read again, and looked at once a second at most.
func TestFilesThatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		source := p.open(t)
		require.EqualValues(t, 1, serial(t, source))
		for round := range int64(3) {
			p.put(t, round+2, p.set.TLSCert, p.set.TLSKey)
			time.Sleep(time.Second - 1)
			require.EqualValues(t, round+1, serial(t, source), "nobody looks yet")
			time.Sleep(time.Nanosecond)
			require.EqualValues(t, round+2, serial(t, source))
		}
		time.Sleep(time.Hour)
		require.EqualValues(t, 4, serial(t, source))
		require.Equal(t, 3, p.said("the certificate was read again"), "only where they have changed")
		require.Zero(t, p.said("level=WARN"))
	})
}

// While only one of the files was replaced, whichever it is, the certificate before stays.
func TestFilesThatAreHalfReplaced(t *testing.T) {
	for _, certFirst := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			source := p.open(t)
			files := []string{p.set.TLSKey, p.set.TLSCert}
			if certFirst {
				files = []string{p.set.TLSCert, p.set.TLSKey}
			}
			p.put(t, 2, files[0])
			for range 5 {
				require.EqualValues(t, 1, serial(t, source))
				time.Sleep(time.Second)
			}
			require.Equal(t, 1, p.said("level=WARN"), "once")
			p.put(t, 3, files...)
			require.EqualValues(t, 3, serial(t, source))
			require.Equal(t, 1, p.said("the certificate was read again"))
			require.NoError(t, os.WriteFile(p.set.TLSCert, []byte("nonsense"), 0o600))
			time.Sleep(time.Second)
			require.EqualValues(t, 3, serial(t, source))
			require.NoError(t, os.Remove(p.set.TLSKey))
			for range 5 {
				time.Sleep(time.Second)
				require.EqualValues(t, 3, serial(t, source))
			}
			require.Equal(t, 3, p.said("level=WARN"), "once for each problem")
			p.put(t, 4, files...)
			time.Sleep(time.Second)
			require.EqualValues(t, 4, serial(t, source))
		})
	}
}

func TestNew(t *testing.T) {
	source, err := certs.New(new(settings.Settings), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Nil(t, source, "no TLS")

	p := newPair(t)
	_, err = certs.New(&p.set, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "the certificate cannot be used")
	require.ErrorContains(t, err, p.set.TLSCert, "which a person has to find")

	p.put(t, 1, p.set.TLSCert)
	p.put(t, 2, p.set.TLSKey)
	_, err = certs.New(&p.set, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "the certificate cannot be used")

	source = p.open(t)
	require.Equal(t, []string{"h2", "http/1.1"}, source.Config().NextProtos)
	require.EqualValues(t, tls.VersionTLS12, source.Config().MinVersion)
	source.Config().MinVersion = tls.VersionTLS10
	require.EqualValues(t, tls.VersionTLS12, source.Config().MinVersion, "each caller has its own")
}

// An issuer is asked for the domain of the settings alone.
func TestDomain(t *testing.T) {
	source, err := certs.New(&settings.Settings{Domain: "chat.example", CertDir: t.TempDir(), ACME: "http://127.0.0.1:1"}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.EqualValues(t, tls.VersionTLS12, source.Config().MinVersion)
	_, err = source.Config().GetCertificate(&tls.ClientHelloInfo{ServerName: "other.example"})
	require.ErrorContains(t, err, "not configured")

	plain := source.Plain(&net.TCPAddr{Port: 443})
	w := ask(plain, "chat.example", "/room")
	require.Equal(t, "https://chat.example/room", w.Header().Get("Location"))
	w = ask(plain, "chat.example", "/.well-known/acme-challenge/token")
	require.Equal(t, http.StatusNotFound, w.Code, "it is the issuer's, who has not asked for one")
}

func ask(handler http.Handler, host, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// Plain HTTP is sent to the host that was asked for, where HTTPS is.
func TestPlain(t *testing.T) {
	source := newPair(t).open(t)
	for _, c := range []struct {
		addr           net.Addr
		host, location string
	}{
		{&net.TCPAddr{Port: 443}, "chat.example", "https://chat.example/pub/room?a=b"},
		{&net.TCPAddr{Port: 443}, "chat.example:80", "https://chat.example/pub/room?a=b"},
		{&net.TCPAddr{Port: 8443}, "chat.example", "https://chat.example:8443/pub/room?a=b"},
		{&net.TCPAddr{Port: 8443}, "chat.example:8080", "https://chat.example:8443/pub/room?a=b"},
		{&net.TCPAddr{Port: 443}, "192.0.2.1", "https://192.0.2.1/pub/room?a=b"},
		{&net.TCPAddr{Port: 443}, "[::1]", "https://[::1]/pub/room?a=b"},
		{&net.TCPAddr{Port: 443}, "[::1]:80", "https://[::1]/pub/room?a=b"},
		{&net.TCPAddr{Port: 443}, "[2001:db8::443]", "https://[2001:db8::443]/pub/room?a=b"},
		{&net.TCPAddr{Port: 8443}, "[::1]:80", "https://[::1]:8443/pub/room?a=b"},
		{&net.UnixAddr{Name: "/a.sock"}, "chat.example", "https://chat.example/pub/room?a=b"},
	} {
		w := ask(source.Plain(c.addr), c.host, "/pub/room?a=b")
		require.Equal(t, http.StatusPermanentRedirect, w.Code, "a post stays one")
		require.Equal(t, c.location, w.Header().Get("Location"), "%s, %s", c.addr, c.host)
		require.Equal(t, "close", w.Header().Get("Connection"))
	}
	w := ask(source.Plain(&net.TCPAddr{Port: 443}), "", "/")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Empty(t, w.Header().Get("Location"))
}
