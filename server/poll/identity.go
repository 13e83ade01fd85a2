package poll

import (
	"crypto/sha256"
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"

	"pubsub/server/address"
	"pubsub/server/conns"
)

// identity is a hash of all by which clients that say nothing of what they have are told
// apart for sure. Its size does not depend on how much that is.
type identity [sha256.Size]byte

// identityOf returns that of a request's client: of its address, and of what it says of
// itself. Its connection is none of it, as a browser has several.
func identityOf(r *http.Request, source address.Source) identity {
	var proxies []string
	if forwarded(r, source) {
		proxies = address.ForwardedFor(r.Header)
	}
	all := source.Exactly(r).AppendTo(make([]byte, 0, 512))
	for _, values := range [...][]string{proxies, r.Header["X-Client-Id"], r.Header["User-Agent"]} {
		all = append(all, 0) // no header has one, or a line end
		for _, value := range values {
			all = append(append(all, value...), '\n')
		}
	}
	return sha256.Sum256(all)
}

// in returns the identity of a client that asks for a channel in a plain poll, or in another
// dialect. The readers of these are apart: such a client soon goes on by itself, and leaves
// one behind that a plain poll must not be given.
func (id identity) in(channel string, plain bool) identity {
	return sha256.Sum256(strconv.AppendBool(append(id[:], channel...), plain))
}

var connectionSeed = maphash.MakeSeed()

// connectionOf returns a number for the connection that a client has: to the server, or to
// the proxies, as far as these tell. It is 0 where that tells nothing: all tabs of a browser
// ask on whichever of their connections is free, and over HTTP/2 have one.
func connectionOf(r *http.Request, source address.Source) uint64 {
	if strings.HasPrefix(r.UserAgent(), "Mozilla/") { // as every browser says
		return 0
	}
	if !forwarded(r, source) {
		return conns.ID(r)
	}
	var sum maphash.Hash
	sum.SetSeed(connectionSeed)
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Port"} {
		for _, value := range r.Header[name] {
			_, _ = sum.WriteString(value) // it cannot fail
		}
	}
	return sum.Sum64()
}

// forwarded tells whether a trusted proxy speaks for a client.
func forwarded(r *http.Request, source address.Source) bool {
	return source.TrustedHops > 0 && address.IsForwarded(r.Header)
}
