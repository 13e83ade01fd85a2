package conns

import (
	"bytes"
	"net/http"
	"strings"

	"pubsub/server/web"
)

// MaxHeader is http.Server.MaxHeaderBytes: how many bytes the header of a request may have.
// net/http allows 4,096 more.
const MaxHeader = 16 << 10

// netHTTPError returns a [web.Problem] for an error that net/http answers by itself, and nil for
// any other write. net/http writes such an error before a handler begins. It does so in one
// write that starts with the status line: 400, 417, 431, 501 or 505.
func netHTTPError(answer []byte) error {
	line, _, _ := bytes.Cut(answer, []byte("\r\n"))
	_, rest, _ := strings.Cut(string(line), " ")
	status, detail, _ := strings.Cut(rest, " ")
	switch status {
	case "431":
		return web.Refuse(http.StatusRequestHeaderFieldsTooLarge, "The request's header has more than %d bytes. Send a shorter address and fewer cookies.", MaxHeader)
	case "417":
		return web.Refuse(http.StatusBadRequest, "The only Expect that this server meets is 100-continue. Leave the header out.")
	case "400", "501", "505":
		if bytes.HasSuffix(answer, []byte("to an HTTPS server.\n")) {
			return web.Refuse(http.StatusBadRequest, "This port speaks HTTPS, and the request is plain HTTP. Begin the address with https://.")
		}
		advice := ". Send a body plain or in chunks."
		if _, why, found := strings.Cut(detail, ": "); found {
			advice = ": " + why + "."
		}
		return web.Refuse(http.StatusBadRequest, "The request is not HTTP/1.1 as this server speaks it%s", advice)
	}
	return nil
}
