package access

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"pubsub/server/history"
	"pubsub/server/tokens"
	"pubsub/server/web"
)

// Right is an action that a client may take on a channel.
type Right string

// The rights.
const (
	Publish   Right = "publish"
	Subscribe Right = "subscribe" // and read its messages
)

// Grant is what Authorize tells of an authorized client.
type Grant struct {
	Name  string    // the client publishes under this name; "" if it may choose one
	Until time.Time // when the client's token expires; zero if never
}

// Authorize returns an error if the client of a request lacks a right on any of the channels.
// Every endpoint calls it before it does anything on them. Without a key in the settings
// everybody has every right. The error is a [web.Problem]: 401 without a valid token, or 403
// with the channels on which the right is missing.
func (c *Control) Authorize(r *http.Request, right Right, channels ...string) (Grant, error) {
	if c.tokens == nil {
		return Grant{}, nil
	}
	claims, err := c.claimsOf(r)
	if err != nil {
		return Grant{}, err
	}
	var missing []string
	for _, channel := range channels {
		if !c.may(claims, right, channel) {
			missing = append(missing, channel)
		}
	}
	switch {
	case len(missing) == 0:
		return grantOf(claims), nil
	case claims == nil:
		return Grant{}, noToken(`to %s on "%s"`, right, missing[0])
	}
	return Grant{}, &web.Problem{Status: http.StatusForbidden, Reason: "rights", Channels: missing,
		Text: "The token does not give the right to " + string(right) + " on " + strings.Join(missing, ", ") + ". Ask for one that does."}
}

// may tells whether a client has a right on a channel. For a companion the right on its room
// counts. Without a token claims is nil. A token never takes away the rights of anonymous
// clients.
func (c *Control) may(claims *tokens.Claims, right Right, channel string) bool {
	channel = history.RoomOf(channel)
	return tokens.Covers(named(&c.anonymous, right), channel) ||
		claims != nil && tokens.Covers(named(&claims.Rights, right), channel)
}

func named(rights *tokens.Rights, right Right) []string {
	if right == Publish {
		return rights.Publish
	}
	return rights.Subscribe
}

// grantOf makes the grant of an authorized client. A token that expired within the leeway is
// good until the leeway ends, or its client would reconnect in a loop.
func grantOf(claims *tokens.Claims) Grant {
	if claims == nil {
		return Grant{}
	}
	until := claims.Expires
	if time.Now().After(until) {
		until = until.Add(tokens.Leeway)
	}
	return Grant{Name: claims.Name, Until: until}
}

// Left returns how long a grant lasts, at most most.
func (g Grant) Left(most time.Duration) time.Duration {
	if g.Until.IsZero() {
		return most
	}
	return max(0, min(most, time.Until(g.Until)))
}

// Readable returns a function that tells which channels the client of a request may read. An
// invalid token is an error.
func (c *Control) Readable(r *http.Request) (may func(channel string) bool, err error) {
	if c.tokens == nil {
		return func(string) bool { return true }, nil
	}
	claims, err := c.claimsOf(r)
	return func(channel string) bool { return c.may(claims, Subscribe, channel) }, err
}

// AuthorizeOperator returns an error if the client of a request may not see what is meant for
// operators of the server. Without a key in the settings everybody may.
func (c *Control) AuthorizeOperator(r *http.Request) error {
	if c.tokens == nil {
		return nil
	}
	claims, err := c.claimsOf(r)
	switch {
	case err != nil:
		return err
	case claims == nil:
		return noToken("with the right to operate")
	case !claims.Rights.Operate:
		return &web.Problem{Status: http.StatusForbidden, Reason: "rights", Text: "The token does not give the right to operate. pubsub token -operate makes one that does."}
	}
	return nil
}

func noToken(format string, args ...any) error {
	return web.Unauthorized("This needs a token "+format+". Send one as Authorization: Bearer.", args...)
}

// cookie is the name of the cookie that may hold a browser's token. The prefix makes browsers
// accept it over HTTPS only, and send it to this host only.
const cookie = "__Host-pubsub"

type claimsKey struct{}

// claimsOf returns the claims of a request's token, nil if it has no token. An invalid token
// is an error even if none is needed, so that its client learns of it.
func (c *Control) claimsOf(r *http.Request) (*tokens.Claims, error) {
	if claims, known := r.Context().Value(claimsKey{}).(*tokens.Claims); known {
		return claims, expired(claims)
	}
	text := tokenOf(r)
	if text == "" {
		return nil, nil
	}
	claims, err := c.tokens.Verify(r.Context(), text)
	switch {
	case errors.Is(err, tokens.ErrAway):
		return nil, web.Full("keys-away", "The keys that tokens are checked with cannot be had now. Ask again in a moment.")
	case err != nil:
		return nil, web.Unauthorized("%s.", sentence(err))
	}
	return claims, nil
}

func expired(claims *tokens.Claims) error {
	if claims != nil && time.Now().After(claims.Expires.Add(tokens.Leeway)) {
		return ErrExpired
	}
	return nil
}

// ErrExpired: the client must renew its token.
var ErrExpired = web.Unauthorized("The token has expired: get a new one.")

func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// tokenOf returns the token of a request, "" if it has none. It does not look in the query,
// because addresses are kept in logs and histories.
func tokenOf(r *http.Request) string {
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if c, err := r.Cookie(cookie); err == nil && !isCrossOrigin(r) {
		return c.Value
	}
	return ""
}

var crossOrigin = http.NewCrossOriginProtection()

// isCrossOrigin tells whether a page of another origin has sent a request. A browser adds the
// cookie to such a request, too, so the cookie must not count. That holds for GET as well,
// because a WebSocket is opened by one.
func isCrossOrigin(r *http.Request) bool {
	asPost := *r
	asPost.Method = http.MethodPost
	return crossOrigin.Check(&asPost) != nil
}

// Known returns sender with the claims of r, so that later checks do not look at the token
// again, except whether it has expired. It is for streams. An invalid token is an error.
func (c *Control) Known(sender, r *http.Request) (*http.Request, error) {
	if c.tokens == nil {
		return sender, nil
	}
	claims, err := c.claimsOf(r)
	if err != nil {
		return nil, err
	}
	return sender.WithContext(context.WithValue(sender.Context(), claimsKey{}, claims)), nil
}
