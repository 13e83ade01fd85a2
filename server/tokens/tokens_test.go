package tokens_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/server/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "0123456789abcdef0123456789abcdef"

func TestCovers(t *testing.T) {
	for _, row := range []struct {
		names   string
		channel string
		covers  bool
	}{
		{"room", "room", true}, {"room", "room-1", false}, {"room", "Room", false}, {"room-*", "room-1", true}, {"room-*", "room-", true},
		{"room-*", "room", false}, {"*", "anything", true}, {"a b*", "bx", true}, {"", "room", false}, {"r*m", "room", false}, {"*room", "room", false},
	} {
		require.Equal(t, row.covers, tokens.Covers(strings.Fields(row.names), row.channel), "%+v", row)
	}
}

func TestAudienceAndIssuer(t *testing.T) {
	v, err := tokens.New(tokens.Options{Key: secret, Audience: "chat", Issuer: "login"})
	require.NoError(t, err)
	claims := tokens.Claims{Name: "ann", Expires: time.Now().Add(time.Hour).Truncate(time.Second)}
	for _, row := range []struct {
		audience, issuer string
		good             bool
	}{{"chat", "login", true}, {"", "login", false}, {"chat", "", false}, {"other", "login", false}, {"chat", "other", false}} {
		text, err := tokens.Sign(secret, claims, row.audience, row.issuer)
		require.NoError(t, err)
		for range 2 { // the second time it is known
			said, err := v.Verify(t.Context(), text)
			require.Equal(t, row.good, err == nil, "%+v: %v", row, err)
			if row.good {
				require.Equal(t, &claims, said)
			}
		}
	}
}

func TestExpiry(t *testing.T) {
	v, err := tokens.New(tokens.Options{Key: secret})
	require.NoError(t, err)
	for _, left := range []time.Duration{time.Hour, -10 * time.Second, -time.Minute} {
		text, err := tokens.Sign(secret, tokens.Claims{Expires: time.Now().Add(left)}, "", "")
		require.NoError(t, err)
		_, err = v.Verify(t.Context(), text)
		if left < -tokens.Leeway {
			require.ErrorIs(t, err, tokens.ErrExpired)
		} else {
			require.NoError(t, err)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	for _, o := range []tokens.Options{
		{Key: "short"}, {Key: "/nowhere/key.pem"}, {Key: "tokens_test.go"}, {JWKS: "nonsense"}, {JWKS: "ftp://a/b"},
		{JWKS: "http://login.example.org/keys"}, {JWKS: "http://203.0.113.1/keys"}, {Key: secret, JWKS: "https://a/b"},
	} {
		_, err := tokens.New(o)
		require.Error(t, err, "%+v", o)
	}
}

func TestKeysOfANetworkOfOnesOwn(t *testing.T) {
	for _, address := range []string{"http://localhost:1/keys", "http://127.0.0.1/keys", "http://10.1.2.3/keys", "http://[::1]/keys", "http://login:8080/keys", "https://login.example.org/keys"} {
		_, err := tokens.New(tokens.Options{JWKS: address})
		require.NoError(t, err, address)
	}
}

// A token with extensions that must be understood is refused, as none is.
func TestCriticalExtensions(t *testing.T) {
	v, err := tokens.New(tokens.Options{Key: secret})
	require.NoError(t, err)
	for _, header := range []string{`{"alg":"HS256"}`, `{"alg":"HS256","crit":["b64"],"b64":false}`, `{"alg":"HS256","crit":[]}`} {
		_, err := v.Verify(t.Context(), signed(header, fmt.Sprintf(`{"exp":%d}`, time.Now().Add(time.Hour).Unix())))
		if strings.Contains(header, "crit") {
			require.ErrorContains(t, err, "crit")
		} else {
			require.NoError(t, err)
		}
	}
}

// signed is a token of any header and payload, signed with the secret.
func signed(header, payload string) string {
	said := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(said))
	return said + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// A token that never expires is refused.
func TestTokensMustExpire(t *testing.T) {
	v, err := tokens.New(tokens.Options{Key: secret})
	require.NoError(t, err)
	for _, payload := range []string{`{}`, `{"sub":"ann"}`, `{"exp":null}`} {
		_, err := v.Verify(t.Context(), signed(`{"alg":"HS256"}`, payload))
		require.ErrorContains(t, err, "it needs exp", payload)
	}
}

// Whatever is sent as a token, it is refused or was signed with the secret.
func FuzzVerify(f *testing.F) {
	good, err := tokens.Sign(secret, tokens.Claims{Name: "ann", Expires: time.Unix(1<<40, 0)}, "", "")
	require.NoError(f, err)
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Add(strings.Repeat("a.", 100))
	v, err := tokens.New(tokens.Options{Key: secret})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := v.Verify(context.Background(), text); err == nil {
			end := strings.LastIndexByte(text, '.')
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write([]byte(text[:end]))
			require.Equal(t, base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), text[end+1:], "%q was taken", text)
		}
	})
}
