package access_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/access"
	"pubsub/server/settings"
	"pubsub/server/tokens"
	"pubsub/server/web"
)

// Who may read a room may read who is there, and nobody else.
func TestRightsOnCompanions(t *testing.T) {
	set := settings.Default()
	set.TokenKey = strings.Repeat("k", 32)
	control, err := access.New(&set, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	token, err := tokens.Sign(set.TokenKey, tokens.Claims{
		Expires: time.Now().Add(time.Hour), Rights: tokens.Rights{Subscribe: []string{"room"}},
	}, "", "")
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	_, err = control.Authorize(r, access.Subscribe, "room", "room:presence")
	require.NoError(t, err)
	_, err = control.Authorize(r, access.Subscribe, "room", "other:presence", "another")
	problem, is := err.(*web.Problem)
	require.True(t, is)
	require.Equal(t, http.StatusForbidden, problem.Status)
	require.Equal(t, []string{"other:presence", "another"}, problem.Channels)
}

// A browser sends the cookie also with what a page elsewhere asks for: then it gives no
// right, for reading neither. A token that a program sends itself does.
func TestCookieOfAnotherPage(t *testing.T) {
	set := settings.Default()
	set.TokenKey = strings.Repeat("k", 32)
	control, err := access.New(&set, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	token, err := tokens.Sign(set.TokenKey, tokens.Claims{
		Expires: time.Now().Add(time.Hour), Rights: tokens.Rights{Subscribe: []string{"*"}},
	}, "", "")
	require.NoError(t, err)
	for _, c := range []struct {
		header map[string]string
		right  bool
	}{
		{map[string]string{}, true}, // no browser
		{map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://chat.example"}, true},
		{map[string]string{"Sec-Fetch-Site": "none"}, true}, // typed by a person
		{map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		{map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://other.chat.example"}, false},
		{map[string]string{"Origin": "https://evil.example"}, false}, // of a WebSocket, in older browsers
		{map[string]string{"Origin": "https://chat.example"}, true},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "https://chat.example/sub/room", nil)
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			_, err := control.Authorize(r, access.Subscribe, "room")
			require.Error(t, err, "no token")
			r.AddCookie(&http.Cookie{Name: "__Host-pubsub", Value: token})
			_, err = control.Authorize(r, access.Subscribe, "room")
			if c.right {
				require.NoError(t, err, "%s %v", method, c.header)
			} else {
				problem, is := err.(*web.Problem)
				require.True(t, is, "%s %v", method, c.header)
				require.Equal(t, http.StatusUnauthorized, problem.Status)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			_, err = control.Authorize(r, access.Subscribe, "room")
			require.NoError(t, err)
		}
	}
}
