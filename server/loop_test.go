package server

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhichRequestsWaitInACrowd(t *testing.T) {
	for target, waits := range map[string]bool{
		"/sub/room?since=now": true, "/sub/a,b?timeout=5&since=x": true, "/sub?since=now": true, "/sub/room?since=": true,
		"/sub/room": false, "/sub/room?timeout=5": false, "/sub/room?notsince=x": false,
		"/subscribe/room?since=1": false, "/subx?since=1": false, "/history/room?since=1": false,
		"/subscribe/room": false, "/api/poll/room?since=1.5": false, "/api/poll/room": false,
	} {
		r := httptest.NewRequest("GET", target, nil)
		require.Equal(t, waits, waitsInCrowd(r), target)
		for name, value := range map[string]string{"Accept": "text/event-stream", "Sec-WebSocket-Key": "x"} {
			r.Header.Set(name, value)
			require.False(t, waitsInCrowd(r), "a stream")
			r.Header.Del(name)
		}
		require.False(t, waitsInCrowd(httptest.NewRequest("POST", target, nil)))
	}
	for _, target := range []string{"/subscribe/room?last_event_id=5", "/api/poll/room?timeout=5&last_message_id=5"} {
		require.True(t, waitsInCrowd(httptest.NewRequest("GET", target, nil)))
	}
}
