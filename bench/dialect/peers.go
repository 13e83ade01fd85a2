package dialect

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

// mercureToken lets publish everything: the claims are {"mercure":{"publish":["*"]}},
// signed by HS256 with the key of Mercure's own development setting,
// !ChangeThisMercureHubJWTSecretKey!.
const mercureToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJtZXJjdXJlIjp7InB1Ymxpc2giOlsiKiJdfX0.a8cjcSRUAcHdnGNMKifA4BK5epRXxQI0UBp2XpNrBdw"

func publishMercure(b []byte, host, channel string, text []byte) []byte {
	kind := "application/x-www-form-urlencoded\r\nAuthorization: Bearer " + mercureToken
	return post(b, "/.well-known/mercure", "", host, kind, "topic="+channel+"&data=", text, "")
}

func publishCentrifugo(b []byte, host, channel string, text []byte) []byte {
	return post(b, "/api/publish", "", host, "application/json", `{"channel":"`+channel+`","data":{"message":"`, text, `"}}`)
}
