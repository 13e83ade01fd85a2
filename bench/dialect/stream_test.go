package dialect_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/bench/dialect"
	"pubsub/bench/load"
)

func TestStreams(t *testing.T) {
	for name, target := range map[string]string{
		"sse":            "/sub/room",
		"ws":             "/sub/room",
		"nchan-sse":      "/sse/room",
		"nchan-ws":       "/ws/room",
		"mercure-sse":    "/.well-known/mercure?topic=room",
		"centrifugo-sse": "/connection/uni_sse?cf_connect=%7B%22subs%22%3A%7B%22room%22%3A%7B%7D%7D%7D",
		"centrifugo-ws":  "/connection/uni_websocket?channel=room",
	} {
		t.Run(name, func(t *testing.T) {
			d, err := dialect.Named(name)
			require.NoError(t, err)
			endless := d.(load.Endless)
			r := request(t, d.AppendPoll(nil, "host:1", "room", nil))
			require.Equal(t, []string{"GET", "host:1", target}, []string{r.Method, r.Host, r.URL.String()})
			require.Equal(t, endless.Framed(), r.Header.Get("Upgrade") == "websocket")
			require.Equal(t, !endless.Framed(), r.Header.Get("Accept") == "text/event-stream")
			hello := string(endless.AppendHello(nil, "room"))
			if name == "centrifugo-ws" {
				require.Equal(t, "\x81\x94\x00\x00\x00\x00"+`{"subs":{"room":{}}}`, hello)
			} else {
				require.Empty(t, hello)
			}
		})
	}
}
