package conformance_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

const forgets = "what is said between two polls is lost there"

func TestConnectionMissesNothingBetweenItsPolls(t *testing.T) {
	want := differs[[]string]{[]string{"b", "c"}, nil, forgets}.want(t)
	c := base.dial(t)
	c.hears(t, "a")
	base.post(t, "/pub", form("message", "b"))
	base.post(t, "/pub", form("message", "c"))
	for _, text := range want {
		assert.Equal(t, text, c.do(t, "GET", "/sub").object(t)["message"])
	}
	c.hears(t, "d")
}

func TestConnectionRemembersBeyondOtherRequests(t *testing.T) {
	if !ours(t, forgets) {
		return
	}
	c := base.dial(t)
	c.hears(t, "a")
	base.post(t, "/pub", form("message", "b"))
	c.do(t, "GET", "/debug")
	c.do(t, "GET", "/nothing")
	assert.Equal(t, "b", c.do(t, "GET", "/sub").object(t)["message"])
	c.hears(t, "c")
}

func TestConnectionRemembersEachChannel(t *testing.T) {
	if !ours(t, forgets) {
		return
	}
	channel := fresh()
	c := base.dial(t)
	c.hears(t, "a")
	base.post(t, "/pub", form("message", "b"))

	c.send(t, "GET", "/sub/"+channel)
	base.awaitPolling(t, 1)
	base.say(t, channel, "1")
	assert.Equal(t, "1", c.receive(t, "GET").object(t)["message"])
	base.say(t, channel, "2")

	assert.Equal(t, "b", c.do(t, "GET", "/sub").object(t)["message"])
	assert.Equal(t, "2", c.do(t, "GET", "/sub/"+channel).object(t)["message"])

	base.post(t, "/pub", form("message", "c"))
	base.say(t, channel, "3")
	assert.Equal(t, "3", c.do(t, "GET", "/sub/"+channel).object(t)["message"])
	assert.Equal(t, "c", c.do(t, "GET", "/sub").object(t)["message"])
}

// Where no proxy is trusted, what a client invents of one changes nothing: its connection is what it is known by.
func TestInventedProxiesChangeNothing(t *testing.T) {
	if !ours(t, forgets) {
		return
	}
	for _, format := range forwardedFormats {
		c := base.dial(t)
		c.hears(t, "1", fmt.Sprintf(format, freshIP()))
		base.post(t, "/pub", form("message", "2"))
		base.post(t, "/pub", form("message", "3"))
		assert.Equal(t, "2", c.do(t, "GET", "/sub", fmt.Sprintf(format, freshIP())).object(t)["message"])
		assert.Equal(t, "3", c.do(t, "GET", "/sub").object(t)["message"])
	}
}

var forwardedFormats = map[string]string{
	"X-Forwarded-For": "X-Forwarded-For: %s", "Forwarded": `Forwarded: for="[%s]"`,
}

// A proxy's connection carries the polls of many clients, one after the other.
func TestProxiedClientsAreRememberedEachForItself(t *testing.T) {
	if !ours(t, forgets) || !ownServers(t) {
		return
	}
	proxied := startServer(t, "PUBSUB_TRUSTED_HOPS=1")
	for name, format := range forwardedFormats {
		t.Run(name, func(t *testing.T) {
			c := proxied.dial(t)
			ann, bob, cid := fmt.Sprintf(format, freshIP()), fmt.Sprintf(format, freshIP()), fmt.Sprintf(format, freshIP())
			c.hears(t, "1", ann)
			c.hears(t, "2", bob)
			assert.Equal(t, "2", c.do(t, "GET", "/sub", ann).object(t)["message"], "ann was not asking when 2 was said")
			c.hears(t, "3", bob)
			proxied.post(t, "/pub", form("message", "4"))
			for _, text := range []string{"3", "4"} {
				assert.Equal(t, text, c.do(t, "GET", "/sub", ann).object(t)["message"])
			}
			assert.Equal(t, "4", c.do(t, "GET", "/sub", bob).object(t)["message"])
			c.hears(t, "5", cid)
		})
	}
}

// freshIP is an address that no client had: the memory outlasts connections, and so also runs.
func freshIP() string {
	return fmt.Sprintf("2001:db8::%x:%x", rand.Uint32()&0xffff, rand.Uint32()&0xffff)
}

// hears polls on the connection and posts the text once the poll waits; the text is what it must hear.
func (c *conn) hears(t *testing.T, text string, headers ...string) {
	t.Helper()
	c.server.awaitPolling(t, 0)
	c.send(t, "GET", "/sub", headers...)
	c.server.awaitPolling(t, 1)
	c.server.post(t, "/pub", form("message", text))
	assert.Equal(t, text, c.receive(t, "GET").object(t)["message"])
}
