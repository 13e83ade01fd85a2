package tokens

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// counted counts how often a key is asked for.
type counted struct {
	keys
	asked int
}

func (c *counted) key(ctx context.Context, t *jwt.Token) (any, error) {
	c.asked++
	return c.keys.key(ctx, t)
}

// A token that was good is not checked again for a while. But when it expires it is not
// good any more, and who takes a key back is heeded within a minute.
func TestKnownTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := strings.Repeat("k", LeastSecret)
		v, err := New(Options{Key: secret})
		require.NoError(t, err)
		asked := &counted{keys: v.keys}
		v.keys = asked
		sign := func(left time.Duration) string {
			text, err := Sign(secret, Claims{Expires: time.Now().Add(left)}, "", "")
			require.NoError(t, err)
			return text
		}

		long := sign(time.Hour)
		for range 3 {
			_, err = v.Verify(t.Context(), long)
			require.NoError(t, err)
			time.Sleep(knownFor / 3)
		}
		require.Equal(t, 1, asked.asked)
		time.Sleep(time.Nanosecond)
		_, err = v.Verify(t.Context(), long)
		require.NoError(t, err)
		require.Equal(t, 2, asked.asked)

		short := sign(time.Second)
		_, err = v.Verify(t.Context(), short)
		require.NoError(t, err)
		time.Sleep(Leeway)
		_, err = v.Verify(t.Context(), short)
		require.NoError(t, err, "within the leeway")
		time.Sleep(2 * time.Second)
		_, err = v.Verify(t.Context(), short)
		require.ErrorIs(t, err, ErrExpired)
		require.Equal(t, 3, asked.asked, "it was known all the time")
	})
}
