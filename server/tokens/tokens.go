// Package tokens checks the token of a client, and reads the client's rights from it. A token
// is a JWT (RFC 7519):
//
//	{"exp": 1763682109, "sub": "ann", "pubsub": {"publish": ["room-*"], "subscribe": ["*"]}}
//
// A right names a channel. With a * at the end it names all channels that begin so.
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

	"pubsub/server/lru"
)

// Leeway is how long after its expiry a token is still accepted, because clocks differ.
const Leeway = 30 * time.Second

// MaxBytes is how many bytes a token may have.
const MaxBytes = 8 << 10

// Errors of Verify. Clients see their texts.
var (
	ErrExpired = errors.New("the token has expired: get a new one")
	ErrAway    = errors.New("the keys that tokens are checked with cannot be had now")
)

var errCritical = errors.New("the token has extensions in crit that must be understood, and this server knows none")

// Claims is the content of a token. It is shared: do not change it.
type Claims struct {
	Name    string    // of the client; "" if there is none
	Expires time.Time // without the leeway
	Rights  Rights
}

// Rights is what a client may do. The zero value is nothing.
type Rights struct {
	Publish   []string `json:"publish,omitempty"`   // names of channels, see Covers
	Subscribe []string `json:"subscribe,omitempty"` // names of channels, see Covers
	Operate   bool     `json:"operate,omitempty"`   // metrics and the like
}

// Covers tells whether one of the names is that of a channel, or a beginning of it followed
// by *.
func Covers(names []string, channel string) bool {
	for _, name := range names {
		if beginning, open := strings.CutSuffix(name, "*"); name == channel || open && strings.HasPrefix(channel, beginning) {
			return true
		}
	}
	return false
}

// Options tell which tokens are accepted. Either Key or JWKS must be set.
type Options struct {
	Key      string // a secret of at least 32 bytes, or the path of a PEM file with a public key
	JWKS     string // the address of public keys, RFC 7517
	Audience string // that a token must have; "" for any
	Issuer   string // that a token must have; "" for any

	// Log gets a line when the keys at an address cannot be fetched, and about keys that are
	// left out. It may be nil.
	Log *slog.Logger
}

// Verifier checks tokens. It is safe for concurrent use. Make it with [New].
type Verifier struct {
	keys   keys
	parser *jwt.Parser

	mu    sync.Mutex // guards known; no other lock is taken under it
	known *lru.Cache[[sha256.Size]byte, known]
}

// known is a token that was checked a short time ago. Checking a signature takes longer than
// answering a poll.
type known struct {
	claims *Claims
	until  time.Time
}

// Bounds of the known tokens.
const (
	knownTokens = 10_000
	knownFor    = time.Minute
)

// New returns a Verifier. The error tells a person what is wrong with the options. A JWKS
// address is not asked yet.
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
	remembered := lru.New[[sha256.Size]byte, known](knownTokens, nil)
	return &Verifier{keys: k, parser: jwt.NewParser(rules...), known: remembered}, nil
}

// Verify returns the claims of a token. Its errors are ErrExpired, ErrAway, and others that
// tell the client what is wrong with the token. Verify may wait for a JWKS address, for some
// seconds at most and until ctx ends.
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

// check returns ErrExpired if the token has expired.
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

// latest is the latest expiry. Later times, such as an exp in milliseconds, cannot be written
// as text.
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
