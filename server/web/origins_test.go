package web

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// A page elsewhere may neither post nor open a WebSocket, which it could read.
func TestForeignPages(t *testing.T) {
	const own, friend, foreign = "https://chat.example", "https://friend.example", "https://evil.example"
	for _, c := range []struct {
		allowed []string
		origin  string
		may     bool
	}{
		{nil, "", true}, {nil, own, true}, {nil, friend, false}, {nil, foreign, false}, {nil, "null", false},
		{[]string{friend}, friend, true}, {[]string{friend}, own, true}, {[]string{friend}, foreign, false},
		{[]string{"*"}, foreign, true},
	} {
		o := newOrigins(c.allowed)
		for name, ask := range map[string]struct{ method, upgrade string }{
			"post": {"POST", ""}, "WebSocket": {"GET", "websocket"}, "WebSocket in capitals": {"GET", "WebSocket"},
		} {
			w, r := httptest.NewRecorder(), httptest.NewRequest(ask.method, "https://chat.example/sub", nil)
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if ask.upgrade != "" {
				r.Header.Set("Upgrade", ask.upgrade)
			}
			answered, err := o.check(w, r)
			require.False(t, answered)
			require.Equal(t, c.may, err == nil, "%s of %q where %v may", name, c.origin, c.allowed)
		}
		r := httptest.NewRequest("GET", "https://chat.example/sub", nil)
		r.Header.Set("Origin", c.origin)
		_, err := o.check(httptest.NewRecorder(), r)
		require.NoError(t, err, "the browser keeps the answer from it")
	}
}
