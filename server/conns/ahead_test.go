package conns

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/settings"
)

// A connection may be given back with more than net/http reads at once. Nothing of that is
// lost when it is taken over again, to wait or for good.
func TestNothingReadAheadIsLost(t *testing.T) {
	const requests = 300 // more than net/http's buffer has, and less than the loop's
	long := "GET /else HTTP/1.1\r\nHost: chat\r\nX-Long: " + strings.Repeat("x", firstRead) + "\r\n\r\n"
	var ahead strings.Builder
	for i := range requests {
		ahead.WriteString(get(fmt.Sprint("/sub/", i)))
	}
	require.Less(t, len(long)+ahead.Len(), MaxHeader)

	s := startLoop(t)
	c := s.joined(t)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	c.send(long + get("/sub/wait") + ahead.String())
	require.Equal(t, "net/http /else", c.answer())
	s.answerNext(t, "waited")
	require.Equal(t, "waited", c.answer())
	for i := range requests {
		require.Equal(t, fmt.Sprint("loop /sub/", i), c.answer())
	}

	sent := make(chan string, 1)
	s = startLoop(t, func(s *looping, _ *settings.Settings) {
		s.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/taken" {
				s.toy(w, r)
				return
			}
			taken, ahead, err := Hijack(w, r)
			require.NoError(t, err)
			sent <- string(ahead)
			rest, _ := io.ReadAll(taken)
			sent <- string(rest)
			_ = taken.Close()
		})
	})
	c = s.joined(t)
	c.send(long + get("/taken") + ahead.String())
	require.Equal(t, "net/http /else", c.answer())
	require.Equal(t, ahead.String(), <-sent)
	c.send("more")
	c.Close()
	require.Equal(t, "more", <-sent)
}
