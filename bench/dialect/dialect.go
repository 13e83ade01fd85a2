// Package dialect knows how the servers are spoken to. A dialect finds what it
// needs by its bytes: the generator must cost less than what it measures.
package dialect

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"pubsub/bench/load"
)

var all = map[string]load.Dialect{
	"original":   original{},
	"cursor":     cursor{wait: "60"},
	"short":      cursor{wait: "0"},
	"nchan":      nchan{path: "/sub/"},
	"nchan-many": nchan{path: "/many/"},
	"golongpoll": golongpoll{},

	"sse":            sse,
	"ws":             ws,
	"nchan-sse":      nchanSSE,
	"nchan-ws":       nchanWS,
	"mercure-sse":    mercure,
	"centrifugo-sse": centrifugoSSE,
	"centrifugo-ws":  centrifugoWS,
}

// Named returns a dialect by its name.
func Named(name string) (load.Dialect, error) {
	d, found := all[name]
	if !found {
		return nil, fmt.Errorf("there is no dialect %q; take one of %s", name, strings.Join(Names(), ", "))
	}
	return d, nil
}

// Names are the dialects' names, sorted.
func Names() []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// get appends the rest of a GET request whose target has been appended.
func get(b []byte, host string) []byte {
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	return append(b, "\r\n\r\n"...)
}

// post appends a POST request.
func post(b []byte, path, channel, host, kind, before string, text []byte, after string) []byte {
	b = append(append(append(b, "POST "...), path...), channel...)
	return fmt.Appendf(b, " HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s%s%s",
		host, kind, len(before)+len(text)+len(after), before, text, after)
}

// last is the value after the last key in body, up to the byte end; nil if
// there is none.
func last(body []byte, key string, end byte) []byte {
	at := bytes.LastIndex(body, []byte(key))
	if at < 0 {
		return nil
	}
	value := body[at+len(key):]
	if before, _, ok := bytes.Cut(value, []byte{end}); ok {
		return before
	}
	return nil
}
