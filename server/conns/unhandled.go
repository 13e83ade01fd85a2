package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
)

// unhandled makes a problem of what net/http answers by itself, nil if it is
// none. It answers so before a handler begins, in one write that starts with the
// status line: 400 and 431, and 417, 501 or 505 for what is the client's fault.
func unhandled(answer []byte) *problem {
	line, _, _ := bytes.Cut(answer, []byte("\r\n"))
	_, said, _ := strings.Cut(string(line), " ")
	status, detail, _ := strings.Cut(said, " ")
	switch status {
	case "431":
		return &problem{status: http.StatusRequestHeaderFieldsTooLarge,
			text: fmt.Sprintf("The request's header has more than %d bytes. Send a shorter address and fewer cookies.", maxHeader)}
	case "417":
		return &problem{status: http.StatusBadRequest, text: "The only Expect that this server meets is 100-continue. Leave the header out."}
	case "400", "501", "505":
		advice := ". Send a body plain or in chunks."
		if _, why, found := strings.Cut(detail, ": "); found {
			advice = ": " + why + "."
		}
		return &problem{status: http.StatusBadRequest, text: "The request is not HTTP/1.1 as this server speaks it" + advice}
	}
	return nil
}

// response is a problem as net/http would write it. Its length is told because a
// connection that is closed with a request unread is reset, and who was told the
// length knows even so that this is all.
func (p *problem) response() []byte {
	body, _ := json.Marshal(map[string]string{"error": p.text}) // a text
	retryAfter := ""
	if p.retryAfter > 0 {
		retryAfter = fmt.Sprintf("Retry-After: %d\r\n", p.retryAfter)
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		p.status, http.StatusText(p.status), retryAfter, len(body)+1, body)
}

// refuseUnhandled counts such a problem, and writes a line about it unless there
// are many. Of the request nothing is known.
func (s *Server) refuseUnhandled(from net.Addr, p *problem) {
	if s.countRefusal(p, slog.LevelInfo) {
		s.log.Info("refused", "status", p.status, "reason", p.reason, "address", from, "error", p)
	}
}
