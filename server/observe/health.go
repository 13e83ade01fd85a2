package observe

import (
	"net/http"

	"pubsub/server/web"
)

// Healthy answers as long as the process does.
func Healthy(w http.ResponseWriter, _ *http.Request) error {
	return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "healthy"})
}

// Ready returns a handler that tells whether new requests are welcome, which they are
// not in a drain.
func Ready(draining func() bool) web.Handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		if draining() {
			return web.ErrDraining
		}
		return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	}
}
