package web

import (
	"net/http"
	"slices"
	"strings"
)

// MethodNotAllowed answers where a path has routes, but not this method's. The
// router has set Allow.
func MethodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	allow := allowed(w.Header().Get("Allow"))
	w.Header().Set("Allow", allow)
	return Refuse(http.StatusMethodNotAllowed, "%s is not for this address. It takes %s.", r.Method, allow)
}

// allowed is a router's Allow without the OPTIONS that it always adds.
func allowed(header string) string {
	methods := slices.DeleteFunc(strings.Split(header, ", "), func(method string) bool {
		return method == http.MethodOptions
	})
	return strings.Join(methods, ", ")
}
