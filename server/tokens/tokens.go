// Package tokens reads what a client may do from the token that it sends: a JWT (RFC 7519)
// with rights on channels.
//
//	{"exp": 1763682109, "sub": "ann", "pubsub": {"publish": ["room-*"], "subscribe": ["*"]}}
//
// A right names a channel, or the beginning of names with a * at the end.
package tokens

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Leeway is for clocks that differ: a token is taken so long after it has expired.
const Leeway = 30 * time.Second

// MaxBytes is how long a token may be.
const MaxBytes = 8 << 10

// Errors of Verify. Their texts are for the client.
var (
	ErrExpired = errors.New("the token has expired: get a new one")
	ErrAway    = errors.New("the keys that tokens are checked with cannot be had now")
)

var errCritical = errors.New("the token has extensions in crit that must be understood, and this server knows none")

// Claims is what a token says. Do not change it.
type Claims struct {
	Name    string    // of who it was made for; "" if it does not say
	Expires time.Time // without the leeway
	Rights  Rights
}

// Rights is what somebody may do. The zero value is nothing.
type Rights struct {
	Publish   []string `json:"publish,omitempty"`   // channels
	Subscribe []string `json:"subscribe,omitempty"` // channels
	Operate   bool     `json:"operate,omitempty"`   // metrics and the like
}

// Covers tells whether one of the names is that of a channel, or the beginning of it with
// a * behind.
func Covers(names []string, channel string) bool {
	for _, name := range names {
		if beginning, open := strings.CutSuffix(name, "*"); name == channel || open && strings.HasPrefix(channel, beginning) {
			return true
		}
	}
	return false
}

// Options say which tokens are taken. There must be a Key or a JWKS.
type Options struct {
	Key      string // a secret of at least 32 bytes, or the path of a PEM file with a public key
	JWKS     string // the address of public keys, RFC 7517
	Audience string // which a token must have, if it is set
	Issuer   string // likewise

	// Log is told why the keys at an address cannot be had, and which are left out. Nil is
	// nobody.
	Log *slog.Logger
}

// Verifier checks tokens. It is safe for concurrent use. Make it with [New].
type Verifier struct {
	keys   keys
	parser *jwt.Parser

	mu    sync.Mutex // guards known
	known *simplelru.LRU[[sha256.Size]byte, known]
}

// known is a token that was good a short time ago: to check a signature takes longer than
// to answer a poll.
type known struct {
	claims *Claims
	until  time.Time
}

// Bounds of what is known.
const (
	knownTokens = 10_000
	knownFor    = time.Minute
)

// New returns a Verifier. The error tells a person what is wrong with the options. It does
// not ask a JWKS address yet.
func New(o Options) (*Verifier, error) {
	k, err := keysOf(o)
	if err != nil {
		return nil, err
	}
	rules := []jwt.ParserOption{jwt.WithValidMethods(k.methods()), jwt.WithExpirationRequired(), jwt.WithLeeway(Leeway)}
	if o.Audience != "" {
		rules = append(rules, jwt.WithAudience(o.Audience))
	}
	if o.Issuer != "" {
		rules = append(rules, jwt.WithIssuer(o.Issuer))
	}
	lru, err := simplelru.NewLRU[[sha256.Size]byte, known](knownTokens, nil)
	if err != nil {
		return nil, err
	}
	return &Verifier{keys: k, parser: jwt.NewParser(rules...), known: lru}, nil
}

// Verify returns what a token says. Its errors are ErrExpired, ErrAway, and others that
// tell the client what is wrong with the token. It may wait for a JWKS address, at most
// some seconds, and until ctx ends.
func (v *Verifier) Verify(ctx context.Context, text string) (*Claims, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("a token has at most %d bytes", MaxBytes)
	}
	sum := sha256.Sum256([]byte(text))
	if claims := v.remembered(sum); claims != nil {
		return claims, claims.check()
	}
	claims, err := v.parse(ctx, text)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known.Add(sum, known{claims, time.Now().Add(knownFor)})
	return claims, nil
}

func (v *Verifier) remembered(sum [sha256.Size]byte) *Claims {
	v.mu.Lock()
	defer v.mu.Unlock()
	k, found := v.known.Get(sum)
	if !found || time.Now().After(k.until) {
		return nil
	}
	return k.claims
}

// check tells whether a token that was good is so still.
func (c *Claims) check() error {
	if time.Now().After(c.Expires.Add(Leeway)) {
		return ErrExpired
	}
	return nil
}

// body is the payload of a token.
type body struct {
	jwt.RegisteredClaims
	PubSub Rights `json:"pubsub"`
}

func (v *Verifier) parse(ctx context.Context, text string) (*Claims, error) {
	var b body
	_, err := v.parser.ParseWithClaims(text, &b, func(t *jwt.Token) (any, error) {
		if _, extended := t.Header["crit"]; extended { // RFC 7515, section 4.1.11
			return nil, errCritical
		}
		return v.keys.key(ctx, t)
	})
	if err != nil {
		return nil, told(err)
	}
	expires := b.ExpiresAt.Time
	if expires.After(latest) {
		expires = latest
	}
	return &Claims{Name: b.Subject, Expires: expires, Rights: b.PubSub}, nil
}

// latest is when a token expires at the latest: later times cannot be written as text. An
// exp in milliseconds is one.
var latest = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// told turns an error of the library into one for the client.
func told(err error) error {
	switch {
	case errors.Is(err, ErrAway):
		return ErrAway
	case errors.Is(err, errCritical):
		return errCritical
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errors.New("the token was signed by somebody else, or in a way that is not taken here")
	case errors.Is(err, jwt.ErrTokenExpired):
		return ErrExpired
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return errors.New("the token lacks something: it needs exp, and aud and iss where this server asks for them")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return errors.New("the token is not valid yet: look at the clock of who makes it")
	case errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return errors.New("the token is for another server, or from another issuer")
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return errors.New("the token was signed with a key that this server does not know")
	}
	return errors.New("this is no token: it must be a JWT with rights in \"pubsub\"")
}
