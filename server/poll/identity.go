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

// identity tells clients that send no cursor apart, as far as that is certain. It is a hash,
// so its size does not depend on what the clients send.
type identity [sha256.Size]byte

// identityOf returns the identity of a request's client, made of its address and of headers
// that it sends. The connection is no part, as a browser has several.
func identityOf(r *http.Request, source address.Source) identity {
	var proxies []string
	if forwarded(r, source) {
		proxies = address.ForwardedFor(r.Header)
	}
	all := source.Exactly(r).AppendTo(make([]byte, 0, 512))
	for _, values := range [...][]string{proxies, r.Header["X-Client-Id"], r.Header["User-Agent"]} {
		all = append(all, 0) // no header has a 0 or a line end
		for _, value := range values {
			all = append(append(all, value...), '\n')
		}
	}
	return sha256.Sum256(all)
}

// in returns the identity of a client on a channel. Plain polls and those of other dialects
// have different ones: a client of another dialect soon sends what it has, and leaves a
// reader behind that a plain poll must not get.
func (id identity) in(channel string, plain bool) identity {
	return sha256.Sum256(strconv.AppendBool(append(id[:], channel...), plain))
}

var connectionSeed = maphash.MakeSeed()

// connectionOf returns a number for the client's connection to the server, or to the proxies
// as far as their headers tell. It is 0 for browsers: their tabs ask on any free connection,
// and over HTTP/2 share one.
func connectionOf(r *http.Request, source address.Source) uint64 {
	if strings.HasPrefix(r.UserAgent(), "Mozilla/") { // every browser says so
		return 0
	}
	if !forwarded(r, source) {
		return conns.ID(r)
	}
	var sum maphash.Hash
	sum.SetSeed(connectionSeed)
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Port"} {
		for _, value := range r.Header[name] {
			_, _ = sum.WriteString(value) // cannot fail
		}
	}
	return sum.Sum64()
}

// forwarded tells whether the request comes from a trusted proxy.
func forwarded(r *http.Request, source address.Source) bool {
	return source.TrustedHops > 0 && address.IsForwarded(r.Header)
}
