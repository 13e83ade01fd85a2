package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDebugIsPlainText(t *testing.T) {
	a := base.get(t, "/debug")
	require.Equal(t, 200, a.status)
	assert.Equal(t, "text/plain", a.mediaType())
	assert.Regexp(t, `\Apolling = \d+\n`, a.body)
}

func TestDebugCountsPolls(t *testing.T) {
	polls := base.polls(t, 3, "/sub")
	require.Equal(t, 200, base.post(t, "/pub", form("message", fresh())).status)
	for _, p := range polls {
		p.receive(t, "GET")
	}
	base.awaitPolling(t, 0)
}

func TestDebugNoticesHangUps(t *testing.T) {
	polls := base.polls(t, 3, "/sub")
	for i, p := range polls {
		p.Close()
		base.awaitPolling(t, len(polls)-1-i)
	}
}

func TestHangUpLeavesTheOthersWaiting(t *testing.T) {
	polls := base.polls(t, 2, "/sub")
	polls[0].Close()
	base.awaitPolling(t, 1)

	text := fresh()
	base.post(t, "/pub", form("message", text))
	assert.Equal(t, text, polls[1].receive(t, "GET").object(t)["message"])
}
