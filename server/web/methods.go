package web

import (
	"net/http"
	"slices"
	"strings"
)

// MethodNotAllowed refuses a request whose path has routes, but none for its method. The
// caller must have set the header Allow.
func MethodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	allow := allowed(w.Header().Get("Allow"))
	w.Header().Set("Allow", allow)
	return Refuse(http.StatusMethodNotAllowed, "%s is not for this address. It takes %s.", r.Method, allow)
}

// allowed removes OPTIONS from a header Allow, as the router always adds it.
func allowed(header string) string {
	methods := slices.DeleteFunc(strings.Split(header, ", "), func(method string) bool {
		return method == http.MethodOptions
	})
	return strings.Join(methods, ", ")
}
