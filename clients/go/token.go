package pubsub

import (
	"context"
	"net/http"
	"sync"
)

// bearer is the token of a client. Its zero value has none.
type bearer struct {
	mu    sync.Mutex // held while a token is renewed, for which all requests wait
	token string     // the newest; "" before the first
}

// current returns the token to send, "" for none.
func (c *Client) current(ctx context.Context) (string, error) {
	c.bearer.mu.Lock()
	defer c.bearer.mu.Unlock()
	if c.bearer.token == "" {
		c.bearer.token = c.Token
	}
	if c.bearer.token != "" || c.Renew == nil {
		return c.bearer.token, nil
	}
	return c.renewed(ctx)
}

// renew gets another token in place of one that the server has refused, unless somebody
// else just has.
func (c *Client) renew(ctx context.Context, refused string) error {
	c.bearer.mu.Lock()
	defer c.bearer.mu.Unlock()
	if c.bearer.token != refused {
		return nil
	}
	_, err := c.renewed(ctx)
	return err
}

// renewed gets a token. bearer.mu is held.
func (c *Client) renewed(ctx context.Context) (string, error) {
	token, err := c.Renew(ctx)
	if err == nil {
		c.bearer.token = token
	}
	return token, err
}

// authorized calls send with the header of a request that has the client's token. If the
// server refuses that with a 401, it calls it once more with another token.
func (c *Client) authorized(ctx context.Context, send func(header http.Header) (*http.Response, error)) (*http.Response, error) {
	for again := false; ; again = true {
		token, err := c.current(ctx)
		if err != nil {
			return nil, err
		}
		header := make(http.Header)
		if token != "" {
			header.Set("Authorization", "Bearer "+token)
		}
		resp, err := send(header)
		if resp == nil || resp.StatusCode != http.StatusUnauthorized || !isOwn(resp) || c.Renew == nil || again {
			return resp, err
		}
		if resp.Body != nil {
			resp.Body.Close()
		}
		if err := c.renew(ctx, token); err != nil {
			return nil, err
		}
	}
}
