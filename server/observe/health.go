package server

import "net/http"

// healthy answers as long as the process does.
func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "healthy"})
}

// ready tells whether new requests are welcome, which they are not in a drain.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) error {
	if s.posts.refused() {
		return errDraining
	}
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
