package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"pubsub/internal/pubsubtest"
)

// natives are what a browser has by itself, without any client: each script fills said. Its WebSocket does not
// connect again by itself.
var natives = map[string]string{
	"EventSource": `
		window.source = new EventSource("/sub/room?since=all");
		source.onmessage = ({data}) => said.push(JSON.parse(data).message);
		source.addEventListener("gap", () => said.push("a gap"));
		source.onopen = () => opened++;`,
	"WebSocket": `
		let cursor = "all";
		const open = () => {
			const socket = new WebSocket("/sub/room?since=" + cursor);
			socket.onmessage = ({data}) => {
				const page = JSON.parse(data);
				if (page.gap) said.push("a gap");
				for (const {message} of page.messages ?? []) said.push(message);
				cursor = page.cursor ?? cursor;
			};
			socket.onopen = () => { opened++; window.socket = socket; };
			socket.onclose = () => setTimeout(open, 100);
		};
		open();`,
}

// What a browser has by itself loses nothing by a cut, with and without nginx in front.
func TestNativeStreams(t *testing.T) {
	t.Parallel()
	for name, script := range natives {
		for _, behind := range pubsubtest.Size([]string{"the server", "nginx"}, []string{"nginx"}) {
			t.Run(name+" before "+behind, func(t *testing.T) {
				s := startServer(t, "PUBSUB_TRUSTED_HOPS=1")
				addr := s.Addr()
				if behind == "nginx" {
					addr, _ = pubsubtest.StartNginx(t, addr)
				}
				front := startCutter(t, addr)
				s.publish("room", "ann", "0")
				p := startBrowser(t).visit(front.url() + "/healthz")
				p.requestsFail = true
				eval[any](p, "window.said = [], window.opened = 0; "+script+"; void 0")
				want := []string{"0"}
				for i := range 3 {
					has(p, want, "said")
					assert.Equal(t, i+1, eval[int](p, "opened"))
					front.cut()
					more := fmt.Sprint(i + 1)
					s.publish("room", "ann", more)
					want = append(want, more)
				}
				has(p, want, "said")
				if name == "WebSocket" {
					publishOver(t, s, p)
				}
			})
		}
	}
}

// publishOver publishes over the WebSocket that is open.
func publishOver(t *testing.T, s *server, p *tab) {
	has(p, true, `socket.readyState === WebSocket.OPEN`)
	eval[any](p, `socket.send(JSON.stringify({publish: {message: "over the socket"}, key: "k"})), void 0`)
	has(p, "over the socket", "said.at(-1)")
	assert.Contains(t, strings.Join(s.said("room"), " "), "over the socket")
}
