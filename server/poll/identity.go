package poll

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/netip"
)

// identity is a hash of all that a proxy says of a client, or the client of itself, and of
// its address. Its size does not depend on how much that is.
type identity [sha256.Size]byte

func identityOf(h http.Header, address netip.Addr) identity {
	sum := sha256.New()
	fmt.Fprintln(sum, address)
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Port", "X-Client-Id", "User-Agent"} {
		for _, value := range h[name] {
			fmt.Fprintf(sum, "%s: %s\n", name, value)
		}
	}
	return identity(sum.Sum(nil))
}
