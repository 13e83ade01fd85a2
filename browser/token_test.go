package browser_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const tokenKey = "a secret of more than thirty-two bytes"

// guarded starts a server that wants tokens.
func guarded(t *testing.T) *server { return startServer(t, "PUBSUB_TOKEN_KEY="+tokenKey) }

// tokenFor is a token that lasts so long, with every right.
func tokenFor(t *testing.T, name string, lasts time.Duration) string {
	all := []string{"*"}
	claims := map[string]any{"exp": time.Now().Add(lasts).Unix(), "pubsub": map[string]any{"publish": all, "subscribe": all}}
	if name != "" {
		claims["sub"] = name
	}
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(text)
	mac := hmac.New(sha256.New, []byte(tokenKey))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// asked is what the dialog asks, when it has its style: until then its buttons move.
const asked = `((dialog) => dialog?.querySelector("h2").textContent ?? "")(document.querySelector("dialog.token[open]"))`

// give pastes a token into the dialog.
func (p *tab) give(token string) {
	p.t.Helper()
	p.types("dialog.token textarea", token)
	p.clicks("dialog.token button")
}

// Who has no token is asked for one, once, and then again when they try to go on.
func TestAsksForAToken(t *testing.T) {
	s := guarded(t)
	p := startBrowser(t).visitFailing(s.URL)
	has(p, "This server wants a token", asked)
	p.clicks("dialog.token button[type=button]")
	has(p, "", asked)
	has(p, true, `document.querySelector("#connection").textContent.includes("needs a token")`)
	p.clicks("#retry")
	has(p, "This server wants a token", asked)
	assert.Empty(t, p.violations())
	p.prefersDark()
	assert.Empty(t, p.violations(), "dark")
	p.give(tokenFor(t, "", time.Hour))
	p.isConnected()
	p.takeNick("ann")
	p.types("#message", "hello\n")
	p.shows("ann: hello")
}

// A token in the address is taken out of it, and good for other tabs and the next visit. One that has a name is posted
// under.
func TestTakesATokenFromTheAddress(t *testing.T) {
	s := guarded(t)
	b := startBrowser(t)
	p := b.visit(s.URL + "/?channel=room#token=" + tokenFor(t, "Zoë", time.Hour))
	has(p, s.URL+"/?channel=room", `location.href`)
	has(p, "Zoë", `document.querySelector("#nick").value`)
	has(p, true, `document.querySelector("#nick").readOnly`)
	p.types("#message", "hello\n")
	p.shows("Zoë: hello")
	other := b.visit(s.URL + "/?channel=room")
	other.requestsFail, p.requestsFail = true, true // when the token is forgotten
	other.shows("Zoë: hello")
	other.opensMenu()
	has(other, true, `[...document.querySelectorAll(".tools button")].some((button) => button.textContent === "Forget my token")`)
	other.clicks(".tools button:last-child")
	has(other, "This server wants a token", asked)

	has(p, "This server wants a token", asked)
}

// A link with a token of somebody else does not make who follows it that one unasked.
func TestTokenInTheAddressOfALink(t *testing.T) {
	s := guarded(t)
	b := startBrowser(t)
	b.visit(s.URL + "/#token=" + tokenFor(t, "ann", time.Hour)).isConnected()
	link := s.URL + "/#token=" + tokenFor(t, "eve", time.Hour)
	for _, row := range []struct{ button, nick string }{{"button[type=button]", "ann"}, {"button:not([type])", "eve"}} {
		p := b.visit(link)
		has(p, "Use another token?", asked)
		has(p, true, `document.querySelector("dialog.token").textContent.includes("a token for eve")`)
		p.clicks("dialog.token " + row.button)
		p.isConnected()
		has(p, row.nick, `document.querySelector("#nick").value`)
		has(p, "", `location.hash`)
	}
	again := b.visit(link) // the same as the one that is there
	again.isConnected()
	has(again, false, `!!document.querySelector("dialog")`)
}

// A token that expires in the middle of a conversation is asked for anew, and nothing is lost.
func TestATokenThatExpires(t *testing.T) {
	s := startForLong(t, "PUBSUB_TOKEN_KEY="+tokenKey, "PUBSUB_ANONYMOUS=publish:*")
	s.publish("chat", "bob", "before")
	const leeway = 30 * time.Second
	var p *tab
	for lasts := 10 * time.Second; p == nil || eval[string](p, asked) != ""; lasts *= 2 { // until it did when the page was open
		p = startBrowser(t).visitFailing(s.URL + "/#token=" + tokenFor(t, "ann", lasts-leeway))
		has(p, true, fmt.Sprintf("(%s) !== '' || document.querySelectorAll('#lines .line').length > 0", asked))
	}
	p.shows("bob: before")
	has(p, "Your token does not count any more", asked)
	s.publish("chat", "bob", "meanwhile")
	p.give("Bearer " + tokenFor(t, "ann", time.Hour))
	p.shows("bob: before", "bob: meanwhile")
	p.types("#message", "after\n")
	p.shows("bob: before", "bob: meanwhile", "ann: after")
}

// Where no token is wanted none is asked for, and nothing of that is loaded.
func TestNoTokenIsWanted(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	has(p, "", asked)
	has(p, false, `performance.getEntriesByType("resource").some(({name}) => name.includes("token"))`)
}
