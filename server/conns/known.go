package conns

import (
	"bytes"
	"net/http"
	"net/url"
)

// known remembers requests that were parsed. The next poll of a client mostly differs from
// its last one in the value of the field since only. Then it need not be parsed, which takes
// half of the time that is not spent in system calls.
type known struct {
	byRest map[string]*http.Request // by the head without the value of since
	rest   []byte
	last   http.Request // what request returned last
}

const (
	maxKnown = 256     // requests; at this number all are forgotten
	maxHead  = 2 << 10 // bytes of a head
)

func newKnown() known { return known{byRest: make(map[string]*http.Request)} }

// request returns the request of a head, or nil if no known request differs from it in the
// value of since only. The request is valid until the next call. It shares its headers with
// others, so they must not be changed.
func (k *known) request(head []byte) *http.Request {
	begin, end, found := sinceIn(head)
	if !found || len(head) > maxHead {
		return nil
	}
	like := k.byRest[string(k.without(head, begin, end))]
	if like == nil {
		return nil
	}
	k.last = *like
	k.last.RequestURI, k.last.URL = addressIn(head, like.URL)
	return &k.last
}

// learn remembers a head that was parsed to r.
func (k *known) learn(head []byte, r *http.Request) {
	begin, end, found := sinceIn(head)
	if !found || len(head) > maxHead {
		return
	}
	if uri, at := addressIn(head, r.URL); uri != r.RequestURI || *at != *r.URL {
		return // net/http reads the address in another way
	}
	if len(k.byRest) == maxKnown {
		clear(k.byRest)
	}
	k.byRest[string(k.without(head, begin, end))] = r
}

func (k *known) without(head []byte, begin, end int) []byte {
	k.rest = append(append(k.rest[:0], head[:begin]...), head[end:]...)
	return k.rest
}

const (
	beforeURI = "GET "
	behindURI = " HTTP/1.1\r\n"
)

// addressIn returns the address in a head, as text and as a URL. The URL is like the given
// one, except for the query.
func addressIn(head []byte, like *url.URL) (uri string, at *url.URL) {
	uri = string(head[len(beforeURI):bytes.Index(head, []byte(behindURI))])
	u := *like
	u.RawQuery = uri[bytes.IndexByte(head, '?')-len(beforeURI)+1:]
	return uri, &u
}

// sinceIn finds the value of the first field since in a head. found is false if the value has
// characters that no cursor has.
func sinceIn(head []byte) (begin, end int, found bool) {
	line := head[:max(bytes.Index(head, []byte(behindURI)), 0)]
	query := bytes.IndexByte(line, '?')
	if query < 0 || !bytes.HasPrefix(line, []byte(beforeURI)) || bytes.IndexByte(line, '#') >= 0 {
		return 0, 0, false
	}
	const field = "since="
	for begin = query; begin >= 0; {
		begin++ // skips ? or &
		if bytes.HasPrefix(line[begin:], []byte(field)) {
			begin += len(field)
			for end = begin; end < len(line) && isOfCursor(line[end]); end++ {
			}
			return begin, end, end == len(line) || line[end] == '&'
		}
		next := bytes.IndexByte(line[begin:], '&')
		if next < 0 {
			break
		}
		begin += next
	}
	return 0, 0, false
}

func isOfCursor(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || c == '-' || c == '.' || c == ','
}
