package conformance_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTwoWaitingClientsAreBothServed(t *testing.T) {
	polls := base.Polls(t, 2, "/sub")
	text := fresh()
	base.Post(t, "/pub", form("nick", "ann", "message", text))
	for _, p := range polls {
		got := p.Receive(t, "GET").Object(t)
		assert.Equal(t, "ann", got["nick"])
		assert.Equal(t, text, got["message"])
	}
}

func TestFiftyWaitingClientsAreAllServed(t *testing.T) {
	polls := base.Polls(t, 50, "/sub")
	text := fresh()
	base.Post(t, "/pub", form("message", text))
	for _, p := range polls {
		assert.Equal(t, text, p.Receive(t, "GET").Object(t)["message"])
	}
}

func TestSubAnswersWithJSONToItsOwnOriginOnly(t *testing.T) {
	poll := base.Polls(t, 1, "/sub")[0]
	base.Post(t, "/pub", form("message", fresh()))
	a := poll.Receive(t, "GET")
	assert.Equal(t, http.StatusOK, a.Status)
	assert.Equal(t, "application/json", a.MediaType())
	// The original opens /sub to other origins on OpenShift alone.
	assert.Empty(t, a.Header.Values("Access-Control-Allow-Origin"))
}

func TestSubIgnoresParametersItDoesNotKnow(t *testing.T) {
	poll := base.Polls(t, 1, "/sub?_=1385151234")[0] // jQuery's cache: false
	text := fresh()
	base.Post(t, "/pub", form("message", text))
	assert.Equal(t, text, poll.Receive(t, "GET").Object(t)["message"])
}

func TestANewClientHearsWhatIsSaidFromNowOn(t *testing.T) {
	base.AwaitPolling(t, 0)
	base.Post(t, "/pub", form("message", "before"))
	poll := base.Polls(t, 1, "/sub")[0]
	base.Post(t, "/pub", form("message", "after"))
	assert.Equal(t, "after", poll.Receive(t, "GET").Object(t)["message"])
}

func TestConnectionPollsAgain(t *testing.T) {
	c := base.Dial(t)
	for range 3 {
		base.AwaitPolling(t, 0)
		c.Send(t, "GET", "/sub")
		base.AwaitPolling(t, 1)
		text := fresh()
		base.Post(t, "/pub", form("message", text))
		assert.Equal(t, text, c.Receive(t, "GET").Object(t)["message"])
	}
}

// The article starts two curls and shows that one request does not hold up the other.
func TestOneSlowRequestBlocksNoOther(t *testing.T) {
	slow := base.Dial(t)
	slow.Send(t, "POST", "/pub", "Content-Type: "+urlencoded, "Content-Length: 12")
	slow.SendText(t, "message=")
	poll := base.Polls(t, 1, "/sub")[0]

	began := time.Now()
	for _, path := range []string{"/", linked(t, base, stylesheetLink), "/debug"} {
		assert.Equal(t, http.StatusOK, base.Get(t, path).Status, path)
	}
	assert.Equal(t, 1, base.Polling(t), "the poll waits all the while")
	assert.Less(t, time.Since(began), patience/2)

	slow.SendText(t, "slow")
	assert.Equal(t, "sent", slow.Receive(t, "POST").Object(t)["status"])
	assert.Equal(t, "slow", poll.Receive(t, "GET").Object(t)["message"])
}

func TestMessageOfTheServersOwnFields(t *testing.T) {
	if !ours(t, "its messages are nick and message alone") {
		return
	}
	poll := base.Polls(t, 1, "/sub")[0]
	a := base.Post(t, "/pub", jsonText(`{"message": "hi", "id": "x", "timestamp": "x", "channel": "x"}`))
	got, said := poll.Receive(t, "GET").Object(t), a.Object(t)
	assert.Equal(t, said["id"], got["id"])
	assert.Equal(t, "chat", got["channel"])
	require.IsType(t, 0.0, got["timestamp"])
	server, err := http.ParseTime(a.Header.Get("Date"))
	require.NoError(t, err)
	assert.InDelta(t, server.Unix(), got["timestamp"], 60)
}

func TestSubEndsItsLine(t *testing.T) {
	if !ours(t, "it ends with the message") {
		return
	}
	poll := base.Polls(t, 1, "/sub")[0]
	base.Post(t, "/pub", form("message", fresh()))
	a := poll.Receive(t, "GET")
	assert.Regexp(t, `^\{.*\}\n$`, a.Body)
}
