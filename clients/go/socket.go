package pubsub

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"
)

// socket is a WebSocket whose frames are pages. It is only read: posts have a connection of
// their own, which is simpler and no slower.
type socket struct {
	channels []string
	conn     *websocket.Conn
	ctx      context.Context
	cancel   context.CancelCauseFunc
	watch    *time.Timer // ends the connection when nothing is heard, not even a ping
}

func (c *Client) openSocket(ctx context.Context, channels []string, query url.Values) (*socket, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := time.AfterFunc(silence, func() { cancel(errSilence) })
	var conn *websocket.Conn
	resp, err := c.authorized(ctx, func(header http.Header) (resp *http.Response, err error) {
		conn, resp, err = websocket.Dial(ctx, c.subURL(channels, query), &websocket.DialOptions{
			HTTPClient:     c.client(),
			HTTPHeader:     header,
			OnPingReceived: func(context.Context, []byte) bool { watch.Reset(silence); return true },
		})
		return resp, err
	})
	if err != nil {
		err = causeOf(ctx, err)
		cancel(err)
		watch.Stop()
		return nil, refusedUpgrade(resp, err)
	}
	conn.SetReadLimit(maxAnswer)
	return &socket{channels, conn, ctx, cancel, watch}, nil
}

// refusedUpgrade is the error of an upgrade that did not succeed.
func refusedUpgrade(resp *http.Response, err error) error {
	switch {
	case resp == nil || resp.StatusCode == http.StatusSwitchingProtocols:
		return err
	case resp.StatusCode < 300:
		return &cut{foreign(resp), 0, false}
	}
	return refusal(resp)
}

func (s *socket) close() {
	s.watch.Stop()
	s.cancel(nil)
	_ = s.conn.CloseNow() // the server has nothing to do on it
}

// next reads the next page. A frame without a cursor is no page.
func (s *socket) next(_ context.Context, at position) (*Page, error) {
	s.watch.Reset(silence)
	defer s.watch.Stop() // what the caller does with the page may take its time
	for {
		_, text, err := s.conn.Read(s.ctx)
		if err != nil {
			return nil, &cut{causeOf(s.ctx, err), 0, websocket.CloseStatus(err) == websocket.StatusGoingAway}
		}
		said := new(answer)
		if err := json.Unmarshal(text, said); err != nil {
			return nil, fmt.Errorf("the server sent %.100q: %w", text, err)
		}
		if said.Cursor != "" {
			return said.page(at, s.channels)
		}
	}
}
