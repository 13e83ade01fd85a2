package observe

import (
	"net/http"

	"pubsub/server/history"
	"pubsub/server/web"
)

// Healthy answers GET /healthz with 200 as long as the process runs.
func Healthy(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "healthy"})
}

// Ready returns the handler of GET /readyz. It answers 200, or 503 when the server is leaving or
// the log has been away for long. So a load balancer sends new requests elsewhere.
func Ready(leaving, away func() bool) web.Handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		if leaving() {
			return web.ErrDraining
		}
		if away() {
			return history.ErrAway
		}
		return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	}
}
