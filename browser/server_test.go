package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

func TestMain(m *testing.M) {
	pubsubtest.ParallelTimes(20) // most of them await their turn
	code := m.Run()
	endShared()
	pubsubtest.Remove()
	os.Exit(code)
}

// inTheWholeSize skips a test that -short leaves out: another one looks at the same.
func inTheWholeSize(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("not with -short")
	}
}

// server is a server that can be stopped and started again under the same address.
type server struct {
	*pubsubtest.Server
	t   *testing.T
	URL string
}

// startServer starts a server with its default settings, but for the publish rate of the one address that
// all browsers of a test share, and for those given as NAME=value. Since each
// test has a server and browsers of its own, it may run beside others, when its turn comes.
func startServer(t *testing.T, settings ...string) *server {
	t.Helper()
	t.Parallel()
	awaitTurn(t)
	return start(t, settings)
}

// startForLong is startServer for a test that waits so long for what takes the server or the page its time that it should
// begin with the first.
func startForLong(t *testing.T, settings ...string) *server {
	t.Helper()
	t.Parallel()
	return start(t, settings)
}

func start(t *testing.T, settings []string) *server {
	t.Helper()
	s := pubsubtest.Start(t, append([]string{"PUBSUB_PUBLISH_RATE=0"}, settings...)...)
	return &server{s, t, s.Site.URL.String()}
}

// turns are those of tests that do not begin with the first. A third of a test is work for one core.
var turns = make(chan struct{}, 3*runtime.GOMAXPROCS(0))

func awaitTurn(t *testing.T) {
	turns <- struct{}{}
	t.Cleanup(func() { <-turns })
}

// publish posts a message to a channel as another program would.
func (s *server) publish(channel, nick, message string) {
	s.t.Helper()
	a := s.post("/pub/"+channel, map[string]any{"nick": nick, "message": message})
	require.Equal(s.t, 200, a.Status, a.Body)
}

// post posts JSON to a path.
func (s *server) post(path string, message any) pubsubtest.Answer {
	s.t.Helper()
	data, err := json.Marshal(message)
	require.NoError(s.t, err)
	return s.Post(s.t, path, pubsubtest.JSON(string(data)))
}

// said is all messages of a channel.
func (s *server) said(channel string) (messages []string) {
	s.t.Helper()
	var page pubsubtest.Page
	s.Get(s.t, "/sub/"+channel+"?since=all&timeout=0").Into(s.t, &page)
	for _, m := range page.Messages {
		messages = append(messages, m.Message)
	}
	return messages
}

// awaitListening waits until n polls and streams together are open.
func (s *server) awaitListening(n int) {
	s.t.Helper()
	becomes(s.t, n, func() (open int) {
		var polling, channels, streams int
		_, err := fmt.Sscanf(s.Get(s.t, "/debug").Body, "polling = %d\nchannels = %d\nstreams = %d", &polling, &channels, &streams)
		require.NoError(s.t, err)
		return polling + streams
	}, "polls and streams")
}
