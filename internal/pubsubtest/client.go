package pubsubtest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Client is one person: one connection that is kept, from an address of its own. A
// request that fails fails the test and lets it go on, so that a Client may be used
// in any goroutine, though by one at a time.
type Client struct {
	// Header is sent along with each request.
	Header http.Header
	// Context, unless it is nil, ends requests before the test ends.
	Context context.Context

	t     testing.TB
	base  string
	http  *http.Client
	dials atomic.Int64
}

// longestPoll is how long a poll with a cursor may wait, and a little more.
const longestPoll = 65 * time.Second

// NewClient is a client of the server at host:port, from a loopback address such as
// 127.0.0.1. Nothing is dialed yet.
func NewClient(t testing.TB, addr, from string) *Client {
	c := &Client{Header: make(http.Header), t: t, base: "http://" + addr}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{MaxConnsPerHost: 1, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c.dials.Add(1)
		return dialer.DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	c.http = &http.Client{Transport: transport, Timeout: longestPoll + Patience}
	return c
}

// Dials is how many connections the client has opened so far.
func (c *Client) Dials() int64 { return c.dials.Load() }

// Send makes a request and leaves the answer's body to the caller.
func (c *Client) Send(method, path string) (*http.Response, error) {
	ctx := c.Context
	if ctx == nil {
		ctx = c.t.Context()
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header = c.Header.Clone()
	return c.http.Do(r)
}

// Do makes a request and reads the whole answer. Its status is 0 where there is no
// whole answer, which fails the test.
func (c *Client) Do(method, path string) (status int, header http.Header, body string) {
	resp, err := c.Send(method, path)
	if !assert.NoError(c.t, err) {
		return 0, nil, ""
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if !assert.NoError(c.t, err, "%s", all) {
		return 0, nil, ""
	}
	return resp.StatusCode, resp.Header, string(all)
}

// Message is what most tests look at in a message.
type Message struct {
	ID      uint64
	Message string
}

// Page is the answer to a poll with a cursor.
type Page struct {
	Messages []Message
	Cursor   string
	Gap      *struct{ Reason string }
}

// Page is the answer to a poll with a cursor; ok is false where the test has failed.
func (c *Client) Page(path string) (answer Page, ok bool) {
	ok = c.decode(http.MethodGet, path, &answer)
	return answer, ok
}

// Message is the answer to a plain poll; ok is false where the test has failed.
func (c *Client) Message(path string) (answer Message, ok bool) {
	ok = c.decode(http.MethodGet, path, &answer)
	return answer, ok
}

// Now is a cursor behind the last message of the chat.
func (c *Client) Now() string {
	page, _ := c.Page("/sub?since=now&timeout=0")
	return page.Cursor
}

// Publish posts a message to the chat.
func (c *Client) Publish(text string) {
	var answer struct{ ID uint64 }
	c.decode(http.MethodPost, "/pub?message="+url.QueryEscape(text), &answer)
	assert.NotZero(c.t, answer.ID)
}

func (c *Client) decode(method, path string, answer any) (ok bool) {
	status, _, body := c.Do(method, path)
	return assert.Equal(c.t, http.StatusOK, status, body) && assert.NoError(c.t, json.Unmarshal([]byte(body), answer), body)
}
