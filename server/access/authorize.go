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

// Right is something that a client may do on a channel.
type Right string

// The rights.
const (
	Publish   Right = "publish"
	Subscribe Right = "subscribe" // and read its messages
)

// Grant is what Authorize tells of who may do something.
type Grant struct {
	Name  string    // under which it publishes; "" if it may choose
	Until time.Time // when it must show a token anew; zero is never
}

// Authorize returns an error if the sender of a request does not have a right on all of
// some channels. Every endpoint calls it with its channels before it does anything there.
// Without a key in the settings everybody has every right. The error is a [web.Problem]:
// 401 if there is no token or a bad one, 403 with those channels if the right is missing.
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

// may tells whether somebody has a right on a channel; on a companion it is that on its
// room. Without a token claims is nil. With one a client may also do what everybody may.
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

// grantOf is for who has what was asked for. Who asks within the leeway of a token may do
// so until that is over, so that it does not ask on and on.
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

// Left is how long a grant lasts, at most so long.
func (g Grant) Left(most time.Duration) time.Duration {
	if g.Until.IsZero() {
		return most
	}
	return max(0, min(most, time.Until(g.Until)))
}

// Readable returns a function that tells which channels the sender of a request may read.
// The error is for a bad token.
func (c *Control) Readable(r *http.Request) (may func(channel string) bool, err error) {
	if c.tokens == nil {
		return func(string) bool { return true }, nil
	}
	claims, err := c.claimsOf(r)
	return func(channel string) bool { return c.may(claims, Subscribe, channel) }, err
}

// AuthorizeOperator returns an error if the sender of a request may not see what is for
// those who run the server. Without a key in the settings everybody may.
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

// cookie is where a browser may have its token. Its name makes browsers take it over
// HTTPS only, and for this host alone.
const cookie = "__Host-pubsub"

type claimsKey struct{}

// claimsOf returns what the token of a request says, nil if it has none. A bad token is an
// error, also where none is needed: who has one must be told that it does not count.
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

// ErrExpired: the client has to renew its token.
var ErrExpired = web.Unauthorized("The token has expired: get a new one.")

func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// tokenOf returns the token of a request, "" if it has none. It is never in the query:
// addresses are kept in logs and histories.
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

// isCrossOrigin tells whether a page of another origin has sent a request: a browser sends
// the cookie with it, though nobody at this server's page has asked for it. That counts for
// reading, too, since a WebSocket is opened by a GET.
func isCrossOrigin(r *http.Request) bool {
	asPost := *r
	asPost.Method = http.MethodPost
	return crossOrigin.Check(&asPost) != nil
}

// Known returns a request by the same sender, of which it is known what it may do: its
// token is not looked at again. It is for a long conversation. The error is for a bad
// token.
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
