package conformance_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTwoWaitingClientsAreBothServed(t *testing.T) {
	polls := base.polls(t, 2, "/sub")
	text := fresh()
	base.post(t, "/pub", form("nick", "ann", "message", text))
	for _, p := range polls {
		got := p.receive(t, "GET").object(t)
		assert.Equal(t, "ann", got["nick"])
		assert.Equal(t, text, got["message"])
	}
}

func TestFiftyWaitingClientsAreAllServed(t *testing.T) {
	polls := base.polls(t, 50, "/sub")
	text := fresh()
	base.post(t, "/pub", form("message", text))
	for _, p := range polls {
		assert.Equal(t, text, p.receive(t, "GET").object(t)["message"])
	}
}

func TestSubAnswersWithJSONToItsOwnOriginOnly(t *testing.T) {
	poll := base.polls(t, 1, "/sub")[0]
	base.post(t, "/pub", form("message", fresh()))
	a := poll.receive(t, "GET")
	assert.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "application/json", a.mediaType())
	// The original opens /sub to other origins on OpenShift alone.
	assert.Empty(t, a.header.Values("Access-Control-Allow-Origin"))
}

func TestSubIgnoresParametersItDoesNotKnow(t *testing.T) {
	poll := base.polls(t, 1, "/sub?_=1385151234")[0] // jQuery's cache: false
	text := fresh()
	base.post(t, "/pub", form("message", text))
	assert.Equal(t, text, poll.receive(t, "GET").object(t)["message"])
}

func TestANewClientHearsWhatIsSaidFromNowOn(t *testing.T) {
	base.awaitPolling(t, 0)
	base.post(t, "/pub", form("message", "before"))
	poll := base.polls(t, 1, "/sub")[0]
	base.post(t, "/pub", form("message", "after"))
	assert.Equal(t, "after", poll.receive(t, "GET").object(t)["message"])
}

func TestConnectionPollsAgain(t *testing.T) {
	c := base.dial(t)
	for range 3 {
		base.awaitPolling(t, 0)
		c.send(t, "GET", "/sub")
		base.awaitPolling(t, 1)
		text := fresh()
		base.post(t, "/pub", form("message", text))
		assert.Equal(t, text, c.receive(t, "GET").object(t)["message"])
	}
}

// The article starts two curls and shows that one request does not hold up the other.
func TestOneSlowRequestBlocksNoOther(t *testing.T) {
	slow := base.dial(t)
	slow.send(t, "POST", "/pub", "Content-Type: "+urlencoded, "Content-Length: 12")
	slow.write(t, "message=")
	poll := base.polls(t, 1, "/sub")[0]

	began := time.Now()
	for _, path := range []string{"/", base.linked(t, stylesheetLink), "/debug"} {
		assert.Equal(t, http.StatusOK, base.get(t, path).status, path)
	}
	assert.Equal(t, 1, base.polling(t), "the poll waits all the while")
	assert.Less(t, time.Since(began), patience/2)

	slow.write(t, "slow")
	assert.Equal(t, "sent", slow.receive(t, "POST").object(t)["status"])
	assert.Equal(t, "slow", poll.receive(t, "GET").object(t)["message"])
}

func TestMessageOfTheServersOwnFields(t *testing.T) {
	if !ours(t, "its messages are nick and message alone") {
		return
	}
	poll := base.polls(t, 1, "/sub")[0]
	a := base.post(t, "/pub", jsonText(`{"message": "hi", "id": "x", "timestamp": "x", "channel": "x"}`))
	got, said := poll.receive(t, "GET").object(t), a.object(t)
	assert.Equal(t, said["id"], got["id"])
	assert.Equal(t, "chat", got["channel"])
	require.IsType(t, 0.0, got["timestamp"])
	server, err := http.ParseTime(a.header.Get("Date"))
	require.NoError(t, err)
	assert.InDelta(t, server.Unix(), got["timestamp"], 60)
}

func TestSubEndsItsLine(t *testing.T) {
	if !ours(t, "it ends with the message") {
		return
	}
	poll := base.polls(t, 1, "/sub")[0]
	base.post(t, "/pub", form("message", fresh()))
	a := poll.receive(t, "GET")
	assert.Regexp(t, `^\{.*\}\n$`, a.body)
}
