package observe

import (
	"net/http"

	"pubsub/server/web"
)

// Healthy answers GET /healthz with a 200 as long as the process runs.
func Healthy(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "healthy"})
}

// Ready returns the handler of GET /readyz. It answers with a 200, and while the server
// drains with a 503, so that a load balancer sends new requests elsewhere.
func Ready(draining func() bool) web.Handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		if draining() {
			return web.ErrDraining
		}
		return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	}
}
