package conformance_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "FOO"}

// requireMethod asks for a 405 that names the methods to use instead.
func requireMethod(t *testing.T, a answer, used string, instead ...string) {
	t.Helper()
	require.Equal(t, http.StatusMethodNotAllowed, a.Status, a.Body)
	allow := strings.FieldsFunc(a.Header.Get("Allow"), func(r rune) bool { return r == ',' || r == ' ' })
	assert.Subset(t, allow, instead)
	assert.NotContains(t, allow, used)
	if *profile == pubsub && used != "HEAD" {
		a.RequireRefused(t, http.StatusMethodNotAllowed)
	}
}

func TestEveryMethodOnThePagesAndFiles(t *testing.T) {
	for _, path := range []string{"/", linked(t, base, stylesheetLink), linked(t, base, scriptLink), "/debug"} {
		for _, method := range methods {
			t.Run(method+path, func(t *testing.T) {
				a := base.Dial(t).Do(t, method, path, "Connection: close")
				if method == "GET" || method == "HEAD" {
					assert.Equal(t, http.StatusOK, a.Status)
					return
				}
				requireMethod(t, a, method, "GET")
			})
		}
	}
}

func TestEveryMethodOnWhatIsNotThere(t *testing.T) {
	why := "Bottle's files answer to GET alone, there or not; what is not there has no method to use instead"
	for _, method := range methods {
		want := differs[int]{http.StatusNotFound, http.StatusMethodNotAllowed, why}
		if method == "GET" || method == "HEAD" {
			want = same(http.StatusNotFound)
		}
		a := base.Dial(t).Do(t, method, "/nothing-here", "Connection: close")
		assert.Equal(t, want.want(t), a.Status, method)
	}
}

func TestEveryMethodOnPub(t *testing.T) {
	why := "the original's files answer to any GET; /pub is there and wants a POST"
	for _, method := range slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == "POST" }) {
		t.Run(method, func(t *testing.T) {
			want := same(http.StatusMethodNotAllowed)
			if method == "GET" || method == "HEAD" {
				want = differs[int]{http.StatusMethodNotAllowed, http.StatusNotFound, why}
			}
			a := base.Dial(t).Do(t, method, "/pub", "Connection: close")
			if want.want(t) == http.StatusNotFound {
				assert.Equal(t, http.StatusNotFound, a.Status)
				return
			}
			requireMethod(t, a, method, "POST")
		})
	}
}

func TestEveryMethodOnSub(t *testing.T) {
	for _, method := range methods {
		if method == "GET" || method == "HEAD" {
			continue
		}
		t.Run(method, func(t *testing.T) {
			requireMethod(t, base.Dial(t).Do(t, method, "/sub", "Connection: close"), method, "GET")
		})
	}
}

func TestHeadOfSub(t *testing.T) {
	want := differs[int]{http.StatusMethodNotAllowed, http.StatusOK,
		"the original waits for a message and then drops it, as HEAD has no body"}.want(t)
	base.AwaitPolling(t, 0)
	c := base.Dial(t)
	c.Send(t, "HEAD", "/sub", "Connection: close")
	if want == http.StatusOK {
		base.AwaitPolling(t, 1)
		base.Post(t, "/pub", form("message", fresh()))
	}
	a := c.Receive(t, "HEAD")
	assert.Equal(t, want, a.Status)
	assert.Empty(t, a.Body)
	base.AwaitPolling(t, 0)
}

func TestEveryMethodOnTheOtherAPIs(t *testing.T) {
	if !ours(t, "it has none of these") {
		return
	}
	for path, allowed := range map[string]string{
		"/pub/c": "POST", "/sub/c": "GET",
		"/publish/c": "POST", "/subscribe/c": "GET", "/channels": "GET",
		"/api/publish/c": "POST", "/api/poll/c": "GET",
		"/chat": "GET",
	} {
		for _, method := range methods {
			if method == allowed || method == "HEAD" && allowed == "GET" {
				continue
			}
			t.Run(method+path, func(t *testing.T) {
				requireMethod(t, base.Dial(t).Do(t, method, path, "Connection: close"), method, allowed)
			})
		}
	}
}
