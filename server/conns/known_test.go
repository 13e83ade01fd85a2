package conns

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is taken for known is what parsing would have made of it, in all that can be seen.
func TestKnownRequestsAreAsIfTheyWereParsed(t *testing.T) {
	for _, head := range []string{
		"GET /sub/room?since=%s HTTP/1.1\r\nHost: chat\r\n\r\n",
		"GET /sub/room?timeout=5&since=%s&presence=a%%20b HTTP/1.1\r\nHost: chat\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
		"GET /sub/r%%20oom?x=%%3F&since=%s&since=other HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n",
	} {
		g := newParser()
		for i, cursor := range []string{"now", "abcdefghijkl.mnop-12", "a-1,b-2", ""} {
			b := fmt.Appendf(nil, head, cursor)
			is, _ := g.request(b)
			want, n := newParser().request(b)
			require.NotNil(t, want)
			require.Len(t, b, n)
			require.Equal(t, want, is)
			require.Equal(t, i > 0, is == &g.known.last, "the first is parsed")
		}
	}
}

func TestWhatIsNotKnown(t *testing.T) {
	g := newParser()
	r, _ := g.request([]byte("GET /sub/room?since=now HTTP/1.1\r\nHost: chat\r\n\r\n"))
	require.NotNil(t, r)
	for _, head := range []string{
		"GET /sub/room?since=a%20b HTTP/1.1\r\nHost: chat\r\n\r\n", "GET /sub/other?since=now HTTP/1.1\r\nHost: chat\r\n\r\n",
		"GET /sub/room?since=now HTTP/1.1\r\nHost: chat \r\n\r\n", "GET /sub/room?since=now&a HTTP/1.1\r\nHost: chat\r\n\r\n",
		"GET /sub/room?nosince=now HTTP/1.1\r\nHost: chat\r\n\r\n", "GET /sub/room&since=now HTTP/1.1\r\nHost: chat\r\n\r\n",
		"GET /sub/room?since=now#x HTTP/1.1\r\nHost: chat\r\n\r\n", "PUT /sub/room?since=now HTTP/1.1\r\nHost: chat\r\n\r\n",
		"GET /sub/room?since=now HTTP/1.0\r\nHost: chat\r\n\r\n", "GET /sub/room?since=now HTTP/1.1\nHost: chat\r\n\r\n",
	} {
		require.Nil(t, g.known.request([]byte(head)), head)
	}
	for i := range 2 * maxKnown { // of which few are kept
		g.request(fmt.Appendf(nil, "GET /sub/room?since=now HTTP/1.1\r\nHost: chat\r\nX: %d\r\n\r\n", i))
	}
	require.LessOrEqual(t, len(g.known.byRest), maxKnown)
	g.request(fmt.Appendf(nil, "GET /sub/room?since=now HTTP/1.1\r\nHost: chat\r\nX: %s\r\n\r\n", strings.Repeat("x", maxHead)))
	require.LessOrEqual(t, len(g.known.byRest), maxKnown)
}

// FuzzKnown: after one head was read, another is read as if it had been the first.
func FuzzKnown(f *testing.F) {
	f.Add([]byte("GET /sub/room?since=now HTTP/1.1\r\nHost: chat\r\n\r\n"), []byte("GET /sub/room?since=abc-5 HTTP/1.1\r\nHost: chat\r\n\r\n"))
	f.Add([]byte("GET /sub/room?since=now HTTP/1.1 HTTP/1.1\r\nHost: chat\r\n\r\n"), []byte("GET /sub/room?since=a&x?since=b HTTP/1.1\r\nHost: chat\r\n\r\n"))
	f.Add([]byte("GET /?a=?&since=now HTTP/1.1\r\nHost: chat\r\n\r\n"), []byte("GET /?a=?&since= HTTP/1.1\r\nHost: chat\r\n\r\n"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		g := newParser()
		g.request(first)
		is, n := g.request(second)
		want, m := newParser().request(second)
		require.Equal(t, m, n)
		require.Equal(t, want, is)
	})
}
