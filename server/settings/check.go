package settings

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"pubsub/server/tokens"
)

// validate returns what is wrong with values that could be parsed.
func (s *Settings) validate() (errs []error) {
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if path, isSocket := SocketPath(s.Addr); isSocket && path == "" || !isSocket && !isHostPort(s.Addr) {
		wrong("addr %q must be host:port, such as 127.0.0.1:8080, or unix: and a path, such as unix:/run/pubsub.sock", s.Addr)
	}
	if s.AdminAddr != "" && !isHostPort(s.AdminAddr) {
		wrong("admin-addr %q must be host:port, such as 127.0.0.1:6060", s.AdminAddr)
	}
	for _, origin := range s.AllowedOrigins {
		switch {
		case isOrigin(origin):
		case strings.Contains(origin, "*"):
			wrong("allowed-origins: %q must be one origin, such as https://chat.example.org; only * alone stands for others, for all", origin)
		default:
			wrong("allowed-origins: %q must be scheme://host, such as https://example.org, without a path", origin)
		}
	}
	for _, host := range s.AllowedHosts {
		if !isHost(host) {
			wrong("allowed-hosts: %q must be a host, such as chat.example.org, without scheme, path and *", host)
		}
	}
	errs = append(errs, s.checkTLS()...)
	if s.WantsTokens() {
		if _, err := tokens.New(tokens.Options{Key: s.TokenKey, JWKS: s.TokenJWKS}); err != nil {
			wrong("token-key, token-jwks: %w", err)
		}
	}
	if s.LogFormat != "text" && s.LogFormat != "json" {
		wrong("log-format %q must be text or json", s.LogFormat)
	}
	return errs
}

// checkTLS returns what is wrong with the settings of TLS.
func (s *Settings) checkTLS() (errs []error) {
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if (s.TLSCert == "") != (s.TLSKey == "") {
		wrong("tls-cert and tls-key belong together: set both")
	}
	if s.Domain != "" && s.TLSCert != "" {
		wrong("domain and tls-cert are two ways to have a certificate: set one")
	}
	if s.Domain != "" && (!isHost(s.Domain) || strings.Contains(s.Domain, ":")) {
		wrong("domain %q must be a name, such as chat.example.org", s.Domain)
	}
	if s.Domain != "" && s.CertDir == "" {
		wrong("domain needs cert-dir, a folder that outlives the process: issuers limit how often they issue a certificate")
	}
	if s.RedirectAddr != "" && !s.HasTLS() {
		wrong("redirect-addr has a meaning only with tls-cert or domain")
	}
	if s.RedirectAddr != "" && !isHostPort(s.RedirectAddr) {
		wrong("redirect-addr %q must be host:port, such as :80", s.RedirectAddr)
	}
	return errs
}

// WantsTokens tells whether clients need a token.
func (s *Settings) WantsTokens() bool { return s.TokenKey != "" || s.TokenJWKS != "" }

// HasTLS tells whether the server speaks TLS.
func (s *Settings) HasTLS() bool { return s.TLSCert != "" || s.Domain != "" }

func isHostPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	return err == nil && isPort(port)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// SocketPath returns the path in an address such as unix:/run/pubsub.sock.
func SocketPath(addr string) (path string, isSocket bool) {
	return strings.CutPrefix(addr, "unix:")
}

// isOrigin tells whether a setting is an origin, scheme://host[:port], or "*".
func isOrigin(text string) bool {
	if text == "*" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.Host != "" && !strings.Contains(u.Host, "*") && text == u.Scheme+"://"+u.Host &&
		http.NewCrossOriginProtection().AddTrustedOrigin(text) == nil
}

// isHost tells whether a setting is host or host:port.
func isHost(text string) bool {
	u, err := url.Parse("//" + text)
	return err == nil && u.Host == text && u.Hostname() != "" && !strings.Contains(text, "*")
}
