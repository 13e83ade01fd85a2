package dialect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// Streams of this server and of those beside it.
var (
	sse      = stream{open: "/sub/", publish: cursor{}.AppendPublish}
	ws       = stream{open: "/sub/", framed: true, publish: cursor{}.AppendPublish}
	nchanSSE = stream{open: "/sse/", publish: nchan{}.AppendPublish}
	nchanWS  = stream{open: "/ws/", framed: true, publish: nchan{}.AppendPublish}

	// Mercure takes anonymous readers with its directive "anonymous", and
	// publishers with "publisher_jwt" of the key that mercureToken is signed with.
	mercure = stream{open: "/.well-known/mercure?topic=", publish: publishMercure}

	// Centrifugo needs uni_sse and uni_websocket enabled, anonymous connections
	// without a token allowed, the namespace's subscriptions allowed for
	// anonymous, and the HTTP API without a key (insecure).
	centrifugoSSE = stream{open: `/connection/uni_sse?cf_connect=%7B%22subs%22%3A%7B%22`, after: `%22%3A%7B%7D%7D%7D`, publish: publishCentrifugo}
	centrifugoWS  = stream{open: "/connection/uni_websocket?channel=", framed: true,
		hello: `{"subs":{"%s":{}}}`, publish: publishCentrifugo}
)

// mercureToken lets publish everything, with the key of Mercure's own setting
// for development.
var mercureToken = signed(`{"mercure":{"publish":["*"]}}`, "!ChangeThisMercureHubJWTSecretKey!")

// signed is a JSON Web Token by HS256.
func signed(claims, key string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := hmac.New(sha256.New, []byte(key))
	sum.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

func publishMercure(b []byte, host, channel string, text []byte) []byte {
	// The field after the content type is a second one.
	kind := "application/x-www-form-urlencoded\r\nAuthorization: Bearer " + mercureToken
	return post(b, "/.well-known/mercure", "", host, kind, "topic="+channel+"&data=", text, "")
}

func publishCentrifugo(b []byte, host, channel string, text []byte) []byte {
	return post(b, "/api/publish", "", host, "application/json", `{"channel":"`+channel+`","data":{"message":"`, text, `"}}`)
}
