package pubsubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Site is a server that is known by its address alone. Its requests go over
// connections that are kept, any of which may carry the next one; for a connection
// of one's own there are Dial and Poll.
type Site struct {
	// URL is the server's, without a path. It is not to be changed.
	URL *url.URL

	network, addr string // where to dial
	client        *http.Client
	built         bool // from the source at hand: what it answers depends on that
}

// At is the site with a URL such as http://127.0.0.1:8080. Nothing is asked of it yet.
func At(address string) (Site, error) {
	u, err := url.Parse(address)
	if err == nil && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		err = fmt.Errorf("%q is not the URL of a server, such as http://127.0.0.1:8080", address)
	}
	if err != nil {
		return Site{}, err
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	return newSite(u, "tcp", net.JoinHostPort(u.Hostname(), port)), nil
}

// overSocket is a site on a Unix socket.
func overSocket(path string) Site {
	return newSite(&url.URL{Scheme: "http", Host: "chat"}, "unix", path)
}

func newSite(u *url.URL, network, addr string) Site {
	s := Site{URL: u, network: network, addr: addr}
	s.client = &http.Client{
		Timeout:       Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 16,
			DisableCompression:  true, // a test that wants it asks for it, and sees it
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		},
	}
	return s
}

// Addr is where the server listens, as PUBSUB_ADDR has it: host:port, or unix: and a path.
func (s Site) Addr() string {
	if s.network == "unix" {
		return "unix:" + s.addr
	}
	return s.addr
}

// CloseIdle closes the connections that wait for a next request. For a [Server] it is
// done at the end of the test.
func (s Site) CloseIdle() { s.client.CloseIdleConnections() }

// Body is what a request carries. The zero Body is none.
type Body struct{ Type, Text string }

// Text is a body of any content type.
func Text(contentType, text string) Body { return Body{contentType, text} }

// JSON is a body that is said to be JSON, whatever the text is.
func JSON(text string) Body { return Body{"application/json", text} }

// FormType is the content type of [Form].
const FormType = "application/x-www-form-urlencoded"

// Form is an urlencoded form of name, value, name, value …
func Form(pairs ...string) Body {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return Body{FormType, values.Encode()}
}

// Parts is the same as a multipart form.
func Parts(pairs ...string) Body {
	var text bytes.Buffer
	w := multipart.NewWriter(&text) // a Buffer takes all
	for i := 0; i < len(pairs); i += 2 {
		_ = w.WriteField(pairs[i], pairs[i+1])
	}
	_ = w.Close()
	return Body{w.FormDataContentType(), text.String()}
}

// Do makes one request and reads the whole answer. Headers are written "Name: value".
// Redirects are not followed.
func (s Site) Do(t testing.TB, method, target string, b Body, headers ...string) Answer {
	t.Helper()
	if s.built {
		lookAtSource()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL.Scheme+"://"+s.URL.Host+target, strings.NewReader(b.Text))
	require.NoError(t, err)
	if b.Type != "" {
		req.Header.Set("Content-Type", b.Type)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	require.NoError(t, err)
	return readAnswer(t, resp)
}

// Get is Do with GET.
func (s Site) Get(t testing.TB, target string, headers ...string) Answer {
	t.Helper()
	return s.Do(t, http.MethodGet, target, Body{}, headers...)
}

// Post is Do with POST.
func (s Site) Post(t testing.TB, target string, b Body, headers ...string) Answer {
	t.Helper()
	return s.Do(t, http.MethodPost, target, b, headers...)
}

// Polling is the number of polls that wait, as /debug has it.
func (s Site) Polling(t testing.TB) int {
	t.Helper()
	a := s.Get(t, "/debug")
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	line, _, _ := strings.Cut(a.Body, "\n")
	n, err := strconv.Atoi(strings.TrimPrefix(line, "polling = "))
	require.NoError(t, err, a.Body)
	return n
}

// AwaitPolling returns when n polls wait. Each look is a round trip, so it does not spin.
func (s Site) AwaitPolling(t testing.TB, n int) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for got := s.Polling(t); got != n; got = s.Polling(t) {
		require.True(t, time.Now().Before(deadline), "polling = %d, want %d", got, n)
	}
}

// Answer is a response that was read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Last   bool // on its connection: the server closes it
}

func readAnswer(t testing.TB, resp *http.Response) Answer {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return Answer{resp.StatusCode, resp.Header, string(text), resp.Close}
}

// MediaType is the content type without its parameters.
func (a Answer) MediaType() string {
	media, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return media
}

// Into reads the answer, which must be a 200 with JSON, into v.
func (a Answer) Into(t testing.TB, v any) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	require.Equal(t, "application/json", a.MediaType())
	require.NoError(t, json.Unmarshal([]byte(a.Body), v), a.Body)
}

// Object is the answer, which must be a 200 with a JSON object.
func (a Answer) Object(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	a.Into(t, &v)
	return v
}

// RequireRefused asks for one of the statuses, with JSON that holds a sentence for a person.
func (a Answer) RequireRefused(t testing.TB, statuses ...int) {
	t.Helper()
	require.Contains(t, statuses, a.Status, a.Body)
	require.Equal(t, "application/json", a.MediaType(), a.Body)
	var v struct{ Error string }
	require.NoError(t, json.Unmarshal([]byte(a.Body), &v), a.Body)
	require.GreaterOrEqual(t, len(strings.Fields(v.Error)), 3, "not a sentence: %s", a.Body)
}
