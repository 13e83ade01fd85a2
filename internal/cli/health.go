package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const healthHelp = `pubsub health asks a server how it is. It ends with status 0 if the server is
well, and otherwise says what is wrong and ends with status 1: for a container
without a shell, or a script.

Usage: pubsub health [flags] [URL]

  pubsub health                          the server of these settings, on this machine
  pubsub health -ready https://chat.example.org

Without a URL it asks where PUBSUB_ADDR or PORT says, over HTTPS if the settings
have a certificate.

`

// Here is where the server of this machine listens.
type Here struct {
	Addr string // host:port, or unix: and a path
	TLS  bool
}

// Health does what the arguments after the word health say: it asks a server how it is. Without
// a URL among them that is the server that here returns. The error tells what is wrong.
func Health(ctx context.Context, args []string, here func() (Here, error), stdout io.Writer) error {
	set := flag.NewFlagSet("health", flag.ContinueOnError)
	ready := set.Bool("ready", false, "ask whether new clients may be sent to it, too")
	timeout := set.Duration("timeout", 5*time.Second, "how long to wait for the answer")
	err := parseFlags(set, args, healthHelp, stdout)
	switch {
	case err != nil:
		return helped(err)
	case set.NArg() > 1:
		return usage(set, errors.New("ask one server (flags stand before the URL)"))
	}
	server, transport := set.Arg(0), &http.Transport{Proxy: http.ProxyFromEnvironment}
	if server == "" {
		at, err := here()
		if err != nil {
			return err
		}
		server, transport = at.site()
	} else if !isServer(server) {
		return usage(set, notServer(server))
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("it does not answer within %v", *timeout))
	defer cancel()
	path, want := "/healthz", "healthy"
	if *ready {
		path, want = "/readyz", "ready"
	}
	if err := ask(ctx, &http.Client{Transport: transport}, strings.TrimRight(server, "/")+path, want); err != nil {
		return fmt.Errorf("%s: %w", server, err)
	}
	_, err = fmt.Fprintln(stdout, want)
	return well(ctx, err)
}

// site returns the URL of the server, and a transport that reaches it.
func (h Here) site() (server string, transport *http.Transport) {
	network, addr := "tcp", h.Addr
	if path, is := strings.CutPrefix(addr, "unix:"); is {
		network, addr = "unix", path
	} else if host, port, err := net.SplitHostPort(addr); err == nil && (host == "" || net.ParseIP(host).IsUnspecified()) {
		addr = net.JoinHostPort("localhost", port)
	}
	scheme := "http"
	if h.TLS {
		scheme = "https"
	}
	host := addr
	if network == "unix" {
		host = "localhost"
	}
	return scheme + "://" + host, &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // its name is that of the outside, and it is this machine
	}
}

// ask asks for the status at a URL. The error is nil if that is the wanted one. Whatever stands
// between may answer, too, so a status of 200 alone does not count.
func ask(ctx context.Context, client *http.Client, at, want string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return cmp.Or(context.Cause(ctx), plainly(err))
	}
	defer resp.Body.Close()
	var said struct{ Status, Error string }
	err = json.NewDecoder(io.LimitReader(resp.Body, 4<<10)).Decode(&said)
	switch {
	case err == nil && resp.StatusCode == http.StatusOK && said.Status == want:
		return nil
	case resp.StatusCode == http.StatusOK:
		return errors.New("it answers, but not as a pubsub server does")
	}
	return fmt.Errorf("it answers %d %s", resp.StatusCode, cmp.Or(said.Error, http.StatusText(resp.StatusCode)))
}

// plainly drops the method and the URL of an error, which the caller tells.
func plainly(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
