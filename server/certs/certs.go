// Package certs has the certificates of a TLS server: from files, or from an issuer by ACME
// (RFC 8555).
package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"pubsub/server/settings"
)

// Source has the certificates of a server. Its methods are safe for concurrent use.
type Source struct {
	config *tls.Config
	acme   *autocert.Manager // nil if the certificate is in files
}

// New returns the source of the settings, nil if they ask for no TLS. The error tells a
// person what is wrong with the files.
func New(s *settings.Settings, log *slog.Logger) (*Source, error) {
	switch {
	case s.Domain != "":
		return issued(s), nil
	case s.TLSCert != "":
		return fromFiles(s.TLSCert, s.TLSKey, log)
	}
	return nil, nil
}

// Config returns the configuration of a listener, with Go's default cipher suites.
func (s *Source) Config() *tls.Config { return s.config.Clone() }

// issued returns a source whose certificate is issued when a client first asks for the
// domain, and renewed in time.
func issued(s *settings.Settings) *Source {
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		HostPolicy: autocert.HostWhitelist(s.Domain),
		Cache:      autocert.DirCache(s.CertDir),
	}
	if s.ACME != "" {
		m.Client = &acme.Client{DirectoryURL: s.ACME}
	}
	config := m.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	return &Source{config: config, acme: m}
}

// Plain returns the handler of plain HTTP. It redirects clients to HTTPS, and answers an
// issuer that checks the domain. addr is the address of HTTPS.
func (s *Source) Plain(addr net.Addr) http.Handler {
	redirect := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		if r.Host == "" { // HTTP/1.0
			http.Error(w, "The request has no Host, so there is no address to send it to.", http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, "https://"+hostOf(r.Host, addr)+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})
	if s.acme == nil {
		return redirect
	}
	return s.acme.HTTPHandler(redirect)
}

// hostOf returns the host that a client has asked for, with the port of HTTPS if that is not
// 443.
func hostOf(host string, addr net.Addr) string {
	port := "443"
	if tcp, is := addr.(*net.TCPAddr); is {
		port = fmt.Sprint(tcp.Port)
	}
	name := (&url.URL{Host: host}).Hostname() // without the brackets of IPv6
	return strings.TrimSuffix(net.JoinHostPort(name, port), ":443")
}

// files is a certificate in files, which are read again when they change.
type files struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex // guards the fields below; held while the files are read, and over log lines
	loaded  *tls.Certificate
	changed time.Time // when the files were last modified, as of the last read
	looked  time.Time // when the files were last checked
	problem string    // the last error of reading them, "" if there was none
}

// lookEvery is the least time between two checks of the files.
const lookEvery = time.Second

func fromFiles(cert, key string, log *slog.Logger) (*Source, error) {
	f := &files{cert: cert, key: key, log: log}
	if _, err := f.read(); err != nil {
		return nil, fmt.Errorf("the certificate cannot be used: %w", err)
	}
	return &Source{config: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.get, NextProtos: []string{"h2", "http/1.1"}}}, nil
}

// get returns the newest certificate. If the files cannot be read, as when only one of them
// was replaced yet, it returns the old one.
func (f *files) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < lookEvery {
		return f.loaded, nil
	}
	f.looked = time.Now()
	if changed, err := f.newest(); err == nil && changed.Equal(f.changed) {
		f.problem = ""
		return f.loaded, nil
	}
	if _, err := f.read(); err == nil {
		f.problem = ""
		f.log.Info("the certificate was read again")
	} else if err.Error() != f.problem { // log it once
		f.problem = err.Error()
		f.log.Warn("the certificate's files have changed and cannot be used, so the old one is", "error", err)
	}
	return f.loaded, nil
}

// read reads the files. mu is held, or no other goroutine has f.
func (f *files) read() (*tls.Certificate, error) {
	changed, err := f.newest()
	if err != nil {
		return nil, err
	}
	loaded, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, err
	}
	f.loaded, f.changed = &loaded, changed
	return f.loaded, nil
}

// newest returns when the newer of the files was modified.
func (f *files) newest() (time.Time, error) {
	cert, err := os.Stat(f.cert)
	key, err2 := os.Stat(f.key)
	if err := errors.Join(err, err2); err != nil {
		return time.Time{}, err
	}
	if key.ModTime().After(cert.ModTime()) {
		return key.ModTime(), nil
	}
	return cert.ModTime(), nil
}
