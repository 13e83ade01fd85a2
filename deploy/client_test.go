package deploy_test

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

// client is one connection that is kept, and what it sends along with each request.
type client struct {
	t      *testing.T
	base   string
	header http.Header
	http   *http.Client
	dials  *atomic.Int64
}

func newClient(t *testing.T, addr, from string) *client {
	var dials atomic.Int64
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{MaxConnsPerHost: 1, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return dialer.DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{t, "http://" + addr, make(http.Header), &http.Client{Transport: transport, Timeout: 65*time.Second + patience}, &dials}
}

func (c *client) send(method, path string) (*http.Response, error) {
	r, err := http.NewRequest(method, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header = c.header.Clone()
	return c.http.Do(r)
}

// do returns status 0 where there is no whole answer, which fails the test.
func (c *client) do(method, path string) (status int, header http.Header, body string) {
	resp, err := c.send(method, path)
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

type message struct {
	ID      uint64
	Message string
}

// page is the answer to a poll with a cursor.
type page struct {
	Messages []message
	Cursor   string
	Gap      *struct{ Reason string }
}

// page is the answer to a poll with a cursor; ok is false where the test has failed.
func (c *client) page(path string) (answer page, ok bool) {
	ok = c.decode(http.MethodGet, path, &answer)
	return answer, ok
}

// message is the answer to a plain poll; ok is false where the test has failed.
func (c *client) message(path string) (answer message, ok bool) {
	ok = c.decode(http.MethodGet, path, &answer)
	return answer, ok
}

// now is a cursor behind the last message.
func (c *client) now() string {
	page, _ := c.page("/sub?since=now&timeout=0")
	return page.Cursor
}

func (c *client) publish(text string) {
	var answer struct{ ID uint64 }
	c.decode(http.MethodPost, "/pub?message="+url.QueryEscape(text), &answer)
	assert.NotZero(c.t, answer.ID)
}

func (c *client) decode(method, path string, answer any) (ok bool) {
	status, _, body := c.do(method, path)
	return assert.Equal(c.t, http.StatusOK, status, body) && assert.NoError(c.t, json.Unmarshal([]byte(body), answer), body)
}
