package conns

import (
	"bytes"
	"net/http"
	"strings"

	"pubsub/server/web"
)

// MaxHeader is how many bytes a request's header may have; net/http takes 4,096 more.
const MaxHeader = 16 << 10

// unhandled makes a problem of what net/http answers by itself, nil if it is
// none. It answers so before a handler begins, in one write that starts with the
// status line: 400 and 431, and 417, 501 or 505 for what is the client's fault.
func unhandled(answer []byte) error {
	line, _, _ := bytes.Cut(answer, []byte("\r\n"))
	_, said, _ := strings.Cut(string(line), " ")
	status, detail, _ := strings.Cut(said, " ")
	switch status {
	case "431":
		return web.Refuse(http.StatusRequestHeaderFieldsTooLarge, "The request's header has more than %d bytes. Send a shorter address and fewer cookies.", MaxHeader)
	case "417":
		return web.Refuse(http.StatusBadRequest, "The only Expect that this server meets is 100-continue. Leave the header out.")
	case "400", "501", "505":
		advice := ". Send a body plain or in chunks."
		if _, why, found := strings.Cut(detail, ": "); found {
			advice = ": " + why + "."
		}
		return web.Refuse(http.StatusBadRequest, "The request is not HTTP/1.1 as this server speaks it%s", advice)
	}
	return nil
}
