package stream

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gobwas/ws"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/web"
)

// webSocket is the [Way] of RFC 6455. Each text frame is a page, in the form of a poll's
// answer. For input, see inbound.go.
type webSocket struct{}

var ping = ws.MustCompileFrame(ws.NewPingFrame(nil))

func (webSocket) accept(h http.Header, r *http.Request) error {
	if !web.IsWebSocket(r) {
		h.Set("Upgrade", "websocket")
		return web.Refuse(http.StatusUpgradeRequired, "This is the handshake of a WebSocket without the header Upgrade: a proxy in between has left it out. Have it pass on Upgrade and Connection, or ask in another way.")
	}
	if r.Header.Get("Sec-Websocket-Version") != "13" {
		h.Set("Sec-WebSocket-Version", "13")
		return web.Refuse(http.StatusUpgradeRequired, "This server speaks version 13 of WebSocket.")
	}
	key := r.Header.Get("Sec-Websocket-Key")
	if nonce, err := base64.StdEncoding.DecodeString(key); err != nil || len(nonce) != 16 || r.ProtoMajor != 1 || r.ProtoMinor != 1 {
		return web.Refuse(http.StatusBadRequest, "The WebSocket handshake is malformed: it needs HTTP/1.1 and a Sec-WebSocket-Key of 16 bytes.")
	}
	h["Upgrade"], h["Connection"] = []string{"websocket"}, []string{"Upgrade"}
	h["Sec-Websocket-Accept"] = []string{acceptOf(key)}
	return nil
}

// acceptOf returns the header that proves that the server speaks WebSocket: RFC 6455, section
// 4.2.2.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (webSocket) status() int { return http.StatusSwitchingProtocols }

func (webSocket) refuse(responder *web.Responder, w http.ResponseWriter, r *http.Request, err error) {
	for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Accept"} {
		w.Header().Del(name)
	}
	responder.Error(w, r, err)
}

// first returns nothing if the page has news, because every page has its beginning. Otherwise
// it returns the empty page.
func (s webSocket) first(page *hub.Page) []byte {
	if page.HasNews() {
		return nil
	}
	return s.page(page)
}

func (webSocket) page(page *hub.Page) []byte { return textFrame(page.AppendJSON(nil)) }

// textFrame makes a text frame of text, which must not be used any more.
func textFrame(text []byte) []byte { return ws.MustCompileFrame(ws.NewTextFrame(text)) }

func (webSocket) heartbeat([]history.Cursor) []byte { return ping }

func (webSocket) last(why *farewell, _ []history.Cursor) []byte {
	const most = 123 // bytes of a reason at most
	text := why.reason
	if why.text != "" {
		text += ": " + why.text
	}
	return closeFrame(why.code, strings.ToValidUTF8(text[:min(len(text), most)], ""))
}

func closeFrame(code ws.StatusCode, reason string) []byte {
	return ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason)))
}

func (webSocket) talks() bool { return true }
