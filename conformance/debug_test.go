package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDebugIsPlainText(t *testing.T) {
	a := base.Get(t, "/debug")
	require.Equal(t, 200, a.Status)
	assert.Equal(t, "text/plain", a.MediaType())
	assert.Regexp(t, `\Apolling = \d+\n`, a.Body)
}

func TestDebugCountsPolls(t *testing.T) {
	polls := base.Polls(t, 3, "/sub")
	require.Equal(t, 200, base.Post(t, "/pub", form("message", fresh())).Status)
	for _, p := range polls {
		p.Receive(t, "GET")
	}
	base.AwaitPolling(t, 0)
}

func TestDebugNoticesHangUps(t *testing.T) {
	polls := base.Polls(t, 3, "/sub")
	for i, p := range polls {
		p.Close()
		base.AwaitPolling(t, len(polls)-1-i)
	}
}

func TestHangUpLeavesTheOthersWaiting(t *testing.T) {
	polls := base.Polls(t, 2, "/sub")
	polls[0].Close()
	base.AwaitPolling(t, 1)

	text := fresh()
	base.Post(t, "/pub", form("message", text))
	assert.Equal(t, text, polls[1].Receive(t, "GET").Object(t)["message"])
}
