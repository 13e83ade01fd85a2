package pubsub_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	pubsub "pubsub/clients/go"
	"pubsub/internal/pubsubtest"
	"pubsub/server/tokens"
)

const secret = "0123456789abcdef0123456789abcdef"

// renewing is a client whose first token has expired.
func renewing(t *testing.T, url string, subscribe ...string) (c *pubsub.Client, renewals *atomic.Int64) {
	sign := func(last time.Duration) string {
		token, err := tokens.Sign(secret, tokens.Claims{Expires: time.Now().Add(last),
			Rights: tokens.Rights{Publish: []string{"*"}, Subscribe: subscribe}}, "", "")
		require.NoError(t, err)
		return token
	}
	c, renewals = pubsub.New(url), new(atomic.Int64)
	c.Token = sign(-time.Hour)
	c.Renew = func(context.Context) (string, error) { renewals.Add(1); return sign(time.Hour), nil }
	return c, renewals
}

// A token that the server refuses is renewed once for all requests.
func TestTokensAreRenewed(t *testing.T) {
	s := pubsubtest.Start(t, "PUBSUB_TOKEN_KEY="+secret)
	for _, way := range []pubsub.Way{pubsub.SSE, pubsub.Poll, pubsub.WebSocket} {
		c, renewals := renewing(t, s.URL.String(), "*")
		_, err := c.Publish(t.Context(), "room", map[string]any{"message": way.String()})
		require.NoError(t, err)
		for message, err := range c.Follow(t.Context(), pubsub.From{Since: "-1", Way: way}, "room") {
			require.NoError(t, err)
			require.Equal(t, way.String(), message.Text)
			break
		}
		require.EqualValues(t, 1, renewals.Load())

		other := pubsub.New(s.URL.String())
		_, err = other.Publish(t.Context(), "room", map[string]any{"message": "hi"})
		require.ErrorContains(t, err, "needs a token")
	}
}

// A reader goes on with the channels that it may read.
func TestChannelsThatMayNotBeReadAreDropped(t *testing.T) {
	s := pubsubtest.Start(t, "PUBSUB_TOKEN_KEY="+secret)
	for _, way := range []pubsub.Way{pubsub.SSE, pubsub.Poll, pubsub.WebSocket} {
		c, _ := renewing(t, s.URL.String(), "room", "news")
		_, err := c.Publish(t.Context(), "news", map[string]any{"message": "hi"})
		require.NoError(t, err)
		var dropped []string
		from := pubsub.From{Since: "all", Way: way, Dropped: func(refused *pubsub.Error) { dropped = refused.Channels }}
		for message, err := range c.Follow(t.Context(), from, "private", "news", "secret", "room") {
			require.NoError(t, err)
			require.Equal(t, "hi", message.Text)
			require.Equal(t, 1, strings.Count(message.Cursor, ","))
			break
		}
		require.Equal(t, []string{"private", "secret"}, dropped)
		for _, err := range c.Follow(t.Context(), pubsub.From{Way: way}, "private", "news") {
			require.ErrorContains(t, err, "subscribe on private")
		}
	}
}
