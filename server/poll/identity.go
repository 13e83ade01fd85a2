package poll

import (
	"crypto/sha256"
	"fmt"
	"net/http"
)

// identity is a hash of all that a proxy says of a client. Its size does not depend on
// how much that is.
type identity [sha256.Size]byte

func identityOf(h http.Header) identity {
	sum := sha256.New()
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Port", "X-Client-Id", "User-Agent"} {
		for _, value := range h[name] {
			fmt.Fprintf(sum, "%s: %s\n", name, value)
		}
	}
	return identity(sum.Sum(nil))
}
