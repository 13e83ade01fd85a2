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
	c := base.Dial(t)
	hears(t, c, "a")
	base.Post(t, "/pub", form("message", "b"))
	base.Post(t, "/pub", form("message", "c"))
	for _, text := range want {
		assert.Equal(t, text, c.Do(t, "GET", "/sub").Object(t)["message"])
	}
	hears(t, c, "d")
}

func TestConnectionRemembersBeyondOtherRequests(t *testing.T) {
	if !ours(t, forgets) {
		return
	}
	c := base.Dial(t)
	hears(t, c, "a")
	base.Post(t, "/pub", form("message", "b"))
	c.Do(t, "GET", "/debug")
	c.Do(t, "GET", "/nothing")
	assert.Equal(t, "b", c.Do(t, "GET", "/sub").Object(t)["message"])
	hears(t, c, "c")
}

func TestConnectionRemembersEachChannel(t *testing.T) {
	if !ours(t, forgets) {
		return
	}
	channel := fresh()
	c := base.Dial(t)
	hears(t, c, "a")
	base.Post(t, "/pub", form("message", "b"))

	c.Send(t, "GET", "/sub/"+channel)
	base.AwaitPolling(t, 1)
	say(t, base, channel, "1")
	assert.Equal(t, "1", c.Receive(t, "GET").Object(t)["message"])
	say(t, base, channel, "2")

	assert.Equal(t, "b", c.Do(t, "GET", "/sub").Object(t)["message"])
	assert.Equal(t, "2", c.Do(t, "GET", "/sub/"+channel).Object(t)["message"])

	base.Post(t, "/pub", form("message", "c"))
	say(t, base, channel, "3")
	assert.Equal(t, "3", c.Do(t, "GET", "/sub/"+channel).Object(t)["message"])
	assert.Equal(t, "c", c.Do(t, "GET", "/sub").Object(t)["message"])
}

// A browser asks on whichever of its connections is free, and nothing that the original's page sends tells its tabs
// apart, or people behind one address with the same browser. Each has each message once, and in order.
func TestClientsOnAnyConnection(t *testing.T) {
	for name, clients := range map[string][]string{ // on which connection each asks, again and again
		"one tab":    {"01100101"},
		"two tabs":   {"02022002", "11111111"},
		"two people": {"01011001", "32232232"},
	} {
		t.Run(name, func(t *testing.T) {
			agent, connections := "User-Agent: "+fresh(), []*conn{base.Dial(t), base.Dial(t), base.Dial(t), base.Dial(t)}
			base.AwaitPolling(t, 0)
			for i := range clients[0] {
				for _, asksOn := range clients {
					connections[asksOn[i]-'0'].Send(t, "GET", "/sub", agent)
				}
				base.AwaitPolling(t, len(clients))
				text := fresh()
				base.Post(t, "/pub", form("message", text))
				for _, asksOn := range clients {
					assert.Equal(t, text, connections[asksOn[i]-'0'].Receive(t, "GET").Object(t)["message"])
				}
			}
		})
	}
}

// A client goes on from its place on any connection, also when it has hung up meanwhile. Another browser begins anew.
func TestClientMissesNothingBetweenItsConnections(t *testing.T) {
	if !ours(t, forgets) {
		return
	}
	agent := "User-Agent: " + fresh()
	c := base.Dial(t)
	hears(t, c, "a", agent)
	c.Send(t, "GET", "/sub", agent)
	base.AwaitPolling(t, 1)
	c.Close()
	base.AwaitPolling(t, 0)
	for _, text := range []string{"b", "c"} {
		base.Post(t, "/pub", form("message", text))
	}
	for _, text := range []string{"b", "c"} {
		assert.Equal(t, text, base.Dial(t).Do(t, "GET", "/sub", agent).Object(t)["message"])
	}
	hears(t, base.Dial(t), "d")
	assert.Equal(t, "d", base.Dial(t).Do(t, "GET", "/sub", agent).Object(t)["message"])
}

// Where no proxy is trusted, what a client invents of one changes nothing.
func TestInventedProxiesChangeNothing(t *testing.T) {
	if !ours(t, forgets) {
		return
	}
	for _, format := range forwardedFormats {
		c := base.Dial(t)
		hears(t, c, "1", fmt.Sprintf(format, freshIP()))
		base.Post(t, "/pub", form("message", "2"))
		base.Post(t, "/pub", form("message", "3"))
		assert.Equal(t, "2", c.Do(t, "GET", "/sub", fmt.Sprintf(format, freshIP())).Object(t)["message"])
		assert.Equal(t, "3", c.Do(t, "GET", "/sub").Object(t)["message"])
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
			c := proxied.Dial(t)
			ann, bob, cid := fmt.Sprintf(format, freshIP()), fmt.Sprintf(format, freshIP()), fmt.Sprintf(format, freshIP())
			hears(t, c, "1", ann)
			hears(t, c, "2", bob)
			assert.Equal(t, "2", c.Do(t, "GET", "/sub", ann).Object(t)["message"], "ann was not asking when 2 was said")
			hears(t, c, "3", bob)
			proxied.Post(t, "/pub", form("message", "4"))
			for _, text := range []string{"3", "4"} {
				assert.Equal(t, text, c.Do(t, "GET", "/sub", ann).Object(t)["message"])
			}
			assert.Equal(t, "4", c.Do(t, "GET", "/sub", bob).Object(t)["message"])
			hears(t, c, "5", cid)
		})
	}
}

// freshIP is an address that no client had: the memory outlasts connections, and so also runs.
func freshIP() string {
	return fmt.Sprintf("2001:db8::%x:%x", rand.Uint32()&0xffff, rand.Uint32()&0xffff)
}

// hears polls on the connection and posts the text once the poll waits; the text is what it must hear.
func hears(t *testing.T, c *conn, text string, headers ...string) {
	t.Helper()
	c.Site().AwaitPolling(t, 0)
	c.Send(t, "GET", "/sub", headers...)
	c.Site().AwaitPolling(t, 1)
	c.Site().Post(t, "/pub", form("message", text))
	assert.Equal(t, text, c.Receive(t, "GET").Object(t)["message"])
}
