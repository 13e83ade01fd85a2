package server_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server"
	"pubsub/server/settings"
	"pubsub/server/tokens"
)

const secret = "0123456789abcdef0123456789abcdef"

// guarded are settings with which a token is needed.
func guarded() settings.Settings {
	set := open()
	set.TokenKey = secret
	return set
}

// token makes one; its rights are those of room-*, both.
func token(t require.TestingT, name string, last time.Duration, change func(*tokens.Claims)) string {
	claims := tokens.Claims{Name: name, Expires: time.Now().Add(last),
		Rights: tokens.Rights{Publish: []string{"room-*", "chat"}, Subscribe: []string{"room-*", "chat"}}}
	if change != nil {
		change(&claims)
	}
	text, err := tokens.Sign(secret, claims, "", "")
	require.NoError(t, err)
	return text
}

func operator(c *tokens.Claims) { c.Rights.Operate = true }

// Every URL keeps out who may not, and says so as promised. A route without a row fails.
func TestEveryWayIn(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	const post, get = http.MethodPost, http.MethodGet
	good, other := token(t, "ann", time.Hour, operator), token(t, "ann", time.Hour, func(c *tokens.Claims) {
		c.Rights = tokens.Rights{Publish: []string{"elsewhere"}, Subscribe: []string{"elsewhere"}}
	})
	forged, err := tokens.Sign(strings.Repeat("x", 32), tokens.Claims{Expires: time.Now().Add(time.Hour), Rights: tokens.Rights{Subscribe: []string{"*"}, Publish: []string{"*"}, Operate: true}}, "", "")
	require.NoError(t, err)
	expired := token(t, "ann", -time.Minute, operator)

	const json = "Content-Type: application/json"
	protected := []int{401, 401, 401, 403, 200}
	open := []int{200, 200, 200, 200, 200}
	rows := map[string]struct {
		url      string
		headers  string
		statuses []int // of no token, one by another key, an expired one, one for another channel, a right one
	}{
		"GET /": {"/", "", open}, "HEAD /": {"/", "", open},
		"GET /healthz": {"/healthz", "", open}, "HEAD /healthz": {"/healthz", "", open},
		"GET /readyz": {"/readyz", "", open}, "HEAD /readyz": {"/readyz", "", open},

		"POST /pub":                  {"/pub?message=hi", "", protected},
		"POST /pub/:channel":         {"/pub/room-1?message=hi", "", protected},
		"POST /publish/:channel":     {"/publish/room-1", json, protected},
		"POST /api/publish/:channel": {"/api/publish/room-1", json, protected},
		"GET /sub":                   {"/sub?since=all&timeout=0", "", protected},
		"GET /sub/:channel":          {"/sub/room-1?since=all&timeout=0", "", protected},
		"GET /history/:channel":      {"/history/room-1", "", protected},
		"GET /subscribe/:channel":    {"/subscribe/room-1?last_event_id=0&timeout=0", "", protected},
		"GET /api/poll/:channel":     {"/api/poll/room-1?last_message_id=0&timeout=0", "", protected},
		"GET /chat":                  {"/chat?cur_len=9", "", protected},
		"GET /channels":              {"/channels", "", []int{200, 401, 401, 200, 200}},
		"GET /presence/:channel":     {"/presence/room-1", "", protected},
		"POST /presence/:channel":    {"/presence/room-1?typing=true", "", protected},
		"POST /ticket":               {"/ticket", "", []int{401, 401, 401, 200, 200}},
		"GET /debug":                 {"/debug", "", protected}, "HEAD /debug": {"/debug", "", protected},
		"GET /metrics": {"/metrics", "", protected}, "HEAD /metrics": {"/metrics", "", protected},

		// More ways of routes above.
		"GET companion":  {"/sub/room-1:presence?since=all&timeout=0&presence=x", "", protected},
		"GET several":    {"/sub/room-1,chat?since=all&timeout=0", "", protected},
		"GET plain":      {"/sub/room-1", "Connection: close", []int{401, 401, 401, 403, 0}},
		"GET sse":        {"/sub/room-1", ways[0].header, []int{401, 401, 401, 403, 0}},
		"GET lines":      {"/sub/room-1", ways[1].header, []int{401, 401, 401, 403, 0}},
		"GET web socket": {"/sub/room-1", ways[2].header, []int{401, 401, 401, 403, 0}},
	}
	app, err := server.New(guarded(), static, page, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer app.Close()
	for _, route := range app.Routes() {
		require.Contains(t, rows, route, "what may be done there without a token?")
	}
	require.Equal(t, 200, doWith(t, s, post, "/pub/room-1?message=first", good, ""))
	for name, row := range rows {
		method, _, _ := strings.Cut(name, " ")
		for i, bearer := range []string{"", forged, expired, other, good} {
			if row.statuses[i] != 0 {
				require.Equal(t, row.statuses[i], doWith(t, s, method, row.url, bearer, row.headers), "%s, token %d", name, i)
			}
		}
	}
	for _, way := range ways {
		c := s.stream(t, way, "/sub/room-1?since=all", "Authorization: Bearer "+good)
		require.Equal(t, []string{"first"}, c.texts(t, 1))
		c.Close()
	}
}

func doWith(t *testing.T, s *running, method, url, bearer, headers string) int {
	all := strings.Split(headers, "\r\n")
	if headers == "" {
		all = nil
	}
	if bearer != "" {
		all = append(all, "Authorization: Bearer "+bearer)
	}
	body := ""
	if method == http.MethodPost && strings.Contains(headers, "json") {
		body = `{"message":"hi"}`
	}
	resp, text := s.do(t, method, url, body, all...)
	if resp.StatusCode == http.StatusUnauthorized {
		require.Equal(t, "Bearer", resp.Header.Get("WWW-Authenticate"))
	}
	if resp.StatusCode == http.StatusForbidden && strings.Contains(url, "room-1") {
		require.Contains(t, text, `"channels":["room-1`)
	}
	return resp.StatusCode
}

// What is said is said under the token's name, whatever is posted as nick.
func TestNamesOfTokens(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	auth := "Authorization: Bearer " + token(t, "ann", time.Hour, nil)
	s.do(t, "POST", "/pub/room-1?message=a&nick=bob", "", auth)
	s.do(t, "POST", "/pub/room-1", `{"message":"b","nick":"bob","NICK":"bob"}`, auth, "Content-Type: application/json")
	s.do(t, "POST", "/api/publish/room-1", `{"message":"c","Nick":"bob"}`, auth, "Content-Type: application/json")
	c := s.stream(t, ways[2], "/sub/room-1", auth)
	defer c.Close()
	c.say(t, `{"publish":{"message":"d","nick":"bob"}}`)
	require.Contains(t, c.heard(t), "published")
	c.say(t, `{"publish":{"message":"e"},"channel":"other"}`)
	require.Contains(t, c.heard(t), `"status":403`)
	_, text := s.do(t, "GET", "/sub/room-1?since=all&timeout=0", "", auth)
	require.Equal(t, 4, strings.Count(text, `"nick":"ann"`), text)
	require.NotContains(t, text, "bob")

	_, text = s.do(t, "GET", "/channels", "", "Authorization: Bearer "+token(t, "", time.Hour, func(c *tokens.Claims) { c.Rights.Subscribe = []string{"x"} }))
	require.Equal(t, `{"active_channels":[]}`+"\n", text)
	_, text = s.do(t, "GET", "/channels", "", auth)
	require.Equal(t, `{"active_channels":["room-1"]}`+"\n", text)
}

func TestAnonymousRights(t *testing.T) {
	t.Parallel()
	set := guarded()
	set.Anonymous = tokens.Rights{Subscribe: []string{"public-*"}, Publish: []string{"lobby"}}
	s := start(t, set)
	for url, status := range map[string]int{"GET /sub/public-1?since=all&timeout=0": 200, "GET /sub/lobby?since=all&timeout=0": 401, "POST /pub/lobby?message=hi": 200, "POST /pub/public-1?message=hi": 401} {
		method, path, _ := strings.Cut(url, " ")
		require.Equal(t, status, doWith(t, s, method, path, "", ""), url)
		require.Equal(t, 401, doWith(t, s, method, path, token(t, "", -time.Hour, nil), ""), "a bad token is no token")
	}
	require.Equal(t, 200, doWith(t, s, "GET", "/sub/public-1,room-1?since=all&timeout=0", token(t, "", time.Hour, nil), ""))
	resp, _ := s.do(t, "GET", "/sub/room-1?since=all&timeout=0", "", "Cookie: __Host-pubsub="+token(t, "", time.Hour, nil))
	require.Equal(t, 200, resp.StatusCode)
	for _, sent := range []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"} {
		resp, _ = s.do(t, "GET", "/sub/room-1?since=all&timeout=0", "", "Cookie: __Host-pubsub="+token(t, "", time.Hour, nil), sent)
		require.Equal(t, 401, resp.StatusCode, "a cookie from another page does not count")
	}
	resp, _ = s.do(t, "GET", "/sub/room-1?since=all&timeout=0&access_token="+token(t, "", time.Hour, nil), "")
	require.Equal(t, 401, resp.StatusCode, "never in the query")
}

// A poll ends with its token, empty; a stream says so. Nothing is lost for who comes back
// with a new one.
func TestTokensThatExpireMeanwhile(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	short := "Authorization: Bearer " + token(t, "ann", 2*time.Second, nil)
	began := time.Now()
	ended := make(chan string, 5)
	go func() {
		_, text := s.do(t, "GET", "/sub/room-1?since=now&timeout=60", "", short)
		ended <- text
	}()
	go func() {
		resp, _ := s.do(t, "GET", "/sub/room-1", "", short)
		ended <- fmt.Sprint(`"messages":[] `, resp.StatusCode == 401)
	}()
	for _, way := range ways {
		go func() {
			c := s.stream(t, way, "/sub/room-1", short)
			defer c.Close()
			for {
				one, err := c.next()
				if err != nil || one.end != "" {
					check(t, strings.HasPrefix(one.end, "expired"), "%s: %v %v", way.name, one, err)
					ended <- `"messages":[] true`
					return
				}
			}
		}()
	}
	for range cap(ended) {
		text := <-ended
		require.Contains(t, text, `"messages":[]`)
		require.NotContains(t, text, "false }")
	}
	require.Less(t, time.Since(began), 10*time.Second)
	require.Greater(t, time.Since(began), time.Second)
}

// A ticket is good once. It is for a stream.
func TestTickets(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	auth := "Authorization: Bearer " + token(t, "ann", time.Hour, nil)
	ticket := func() string {
		_, text := s.do(t, "POST", "/ticket", "", auth)
		var answer struct{ Ticket string }
		require.NoError(t, json.Unmarshal([]byte(text), &answer))
		return answer.Ticket
	}
	s.do(t, "POST", "/pub/room-1?message=hi", "", auth)
	for _, way := range ways {
		spent := ticket()
		c := s.stream(t, way, "/sub/room-1?since=all&ticket="+spent)
		require.Equal(t, []string{"hi"}, c.texts(t, 1))
		if way.name == "websocket" {
			c.say(t, `{"publish":{"message":"by ticket","nick":"bob"}}`)
			require.Contains(t, c.heard(t), "published")
		}
		c.Close()
		again := s.stream(t, way, "/sub/room-1?ticket="+spent)
		require.Equal(t, 401, again.status)
		again.Close()
		other := s.stream(t, way, "/sub/elsewhere?ticket="+ticket())
		require.Equal(t, 403, other.status)
		other.Close()
	}
	_, text := s.do(t, "GET", "/sub/room-1?since=-1&timeout=0", "", auth)
	require.Contains(t, text, `"nick":"ann"`)
}

// A token whose exp is in milliseconds, or who knows when, is good for a ticket, too.
func TestTicketForATokenThatLasts(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	long := token(t, "ann", 0, func(c *tokens.Claims) { c.Expires = time.Unix(time.Now().UnixMilli(), 0) })
	resp, text := s.do(t, "POST", "/ticket", "", "Authorization: Bearer "+long)
	require.Equal(t, http.StatusOK, resp.StatusCode, text)
	var answer struct{ Ticket string }
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	c := s.stream(t, ways[0], "/sub/room-1?ticket="+answer.Ticket)
	defer c.Close()
	require.Equal(t, http.StatusOK, c.status)
}

// Instances share tickets: one may be had from one of them, and be spent at another.
func TestTicketsOfInstances(t *testing.T) {
	t.Parallel()
	redis := pubsubtest.StartRedis(t)
	set := guarded()
	set.History = redis.URL()
	a, b := start(t, set), start(t, set)
	_, text := a.do(t, "POST", "/ticket", "", "Authorization: Bearer "+token(t, "ann", time.Hour, nil))
	var answer struct{ Ticket string }
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	for i, s := range []*running{b, a, b} {
		c := s.stream(t, ways[0], "/sub/room-1?ticket="+answer.Ticket)
		require.Equal(t, map[bool]int{true: 200, false: 401}[i == 0], c.status)
		c.Close()
	}
}

// Each kind of key takes what was signed with it, and nothing else.
func TestKindsOfKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	claims := jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix(), "pubsub": map[string]any{"subscribe": []string{"*"}}}
	sign := func(m jwt.SigningMethod, key any) string {
		text, err := jwt.NewWithClaims(m, claims).SignedString(key)
		require.NoError(t, err)
		return text
	}
	keys := map[string]struct{ public, private any }{"rsa": {&rsaKey.PublicKey, rsaKey}, "ec": {&ecKey.PublicKey, ecKey}, "ed": {edPublic, edKey}}
	good := map[string]string{
		"rsa": sign(jwt.SigningMethodRS256, rsaKey), "ec": sign(jwt.SigningMethodES256, ecKey), "ed": sign(jwt.SigningMethodEdDSA, edKey),
		"secret": sign(jwt.SigningMethodHS256, []byte(secret)),
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	for name := range good {
		set := open()
		set.TokenKey = secret
		var text []byte
		if key, found := keys[name]; found {
			public, err := x509.MarshalPKIXPublicKey(key.public)
			require.NoError(t, err)
			text = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
			set.TokenKey = filepath.Join(dir, name+".pem")
			require.NoError(t, os.WriteFile(set.TokenKey, text, 0o600))
		}
		s := start(t, set)
		for by, bearer := range good {
			want := map[bool]int{true: 200, false: 401}[by == name]
			require.Equal(t, want, doWith(t, s, "GET", "/sub/a?since=all&timeout=0", bearer, ""), "%s by %s", name, by)
		}
		bad := []string{none, "x", "a.b.c", strings.Repeat("x", 8<<10+1), good[name] + "x", good[name][:len(good[name])-3],
			base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + strings.SplitN(good[name], ".", 2)[1]}
		if text != nil { // the public key, taken for a secret
			confused := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
			forged, err := confused.SignedString(text)
			require.NoError(t, err)
			bad = append(bad, forged)
		}
		for _, bearer := range bad {
			require.Equal(t, 401, doWith(t, s, "GET", "/sub/a?since=all&timeout=0", bearer, ""), "%.60s", bearer)
		}
		if status := doWith(t, s, "GET", "/sub/a?since=all&timeout=0", strings.Repeat("x", 100<<10), ""); status != 431 && status != 401 {
			t.Errorf("100 KB: %d", status)
		}
	}
}

// Keys at an address may be away, slow, or others the next time.
func TestKeysAtAnAddress(t *testing.T) {
	t.Parallel()
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sign := func(kid string) string {
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix(), "pubsub": map[string]any{"subscribe": []string{"*"}}})
		token.Header["kid"] = kid
		text, err := token.SignedString(ecKey)
		require.NoError(t, err)
		return text
	}
	b64 := base64.RawURLEncoding.EncodeToString
	point, err := ecKey.PublicKey.Bytes()
	require.NoError(t, err)
	hold := make(chan struct{})
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		// Those beside it are left out: one is of a kind to come, one for other purposes, one weak.
		fmt.Fprintf(w, `{"keys":[{"kty":"AKP","alg":"ML-DSA-44","kid":"later","pub":"AAAA"},
			{"kty":"EC","crv":"secp256k1","kid":"coin","x":"AAAA","y":"AAAA"},
			{"kty":"EC","crv":"P-256","kid":"two","use":"enc","x":%[1]q,"y":%[2]q},
			{"kty":"RSA","kid":"weak","n":"AQAB","e":"AQAB"}, 5,
			{"kty":"EC","crv":"P-256","kid":"one","x":%[1]q,"y":%[2]q}]}`, b64(point[1:33]), b64(point[33:]))
	}))
	defer at.Close()
	defer close(hold)
	for path, want := range map[string]int{"/keys": 200, "/slow": 503} {
		set := open()
		set.TokenJWKS = at.URL + path
		s, log := startLogging(t, set)
		require.Equal(t, want, doWith(t, s, "GET", "/sub/a?since=all&timeout=0", sign("one"), ""), path)
		if want == 200 {
			require.Equal(t, 401, doWith(t, s, "GET", "/sub/a?since=all&timeout=0", sign("two"), ""))
			require.Equal(t, 401, doWith(t, s, "GET", "/sub/a?since=all&timeout=0", "", ""))
			require.Contains(t, log.String(), "keys at the address for tokens are left out")
			for _, why := range []string{"coin", "is not for signatures", "has less than 2048 bits"} {
				require.Contains(t, log.String(), why)
			}
		}
		require.Equal(t, 200, doWith(t, s, "GET", "/healthz", "", ""), "nobody else waits")
	}
	set := open()
	set.TokenJWKS = "http://127.0.0.1:1/away"
	s, log := startLogging(t, set)
	require.Equal(t, 503, doWith(t, s, "GET", "/sub/a?since=all&timeout=0", sign("one"), ""))
	require.Contains(t, log.String(), "the keys of tokens cannot be had")
}
