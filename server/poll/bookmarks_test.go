package poll

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/address"
	"pubsub/server/history"
)

func at(id uint64) history.Cursor { return history.Cursor{Epoch: "epoch", ID: id} }

func (p *bookmarks) ofClient(forwarded, agent, channel string) bookmark {
	r := httptest.NewRequest("GET", "/sub", nil)
	r.Header.Set("X-Forwarded-For", forwarded)
	r.Header.Set("User-Agent", agent)
	return p.of(r, channel)
}

func TestBookmarksGoForwardOnly(t *testing.T) {
	var l lastRead
	p := bookmark{read: &l, channel: "chat"}
	p.set(at(5))
	p.set(at(3))
	require.Equal(t, history.After(at(5)), p.since())
	p.set(at(6))
	require.Equal(t, history.After(at(6)), p.since())
	renewed := history.Cursor{Epoch: "another", ID: 1}
	p.set(renewed)
	require.Equal(t, history.After(renewed), p.since(), "the log began anew")
	for i := range lastReadChannels - 1 {
		bookmark{read: &l, channel: fmt.Sprint(i)}.set(at(1))
	}
	require.Equal(t, history.After(renewed), p.since())
	bookmark{read: &l, channel: "more"}.set(at(1))
	require.Equal(t, history.Now(), p.since(), "the channel not used for longest")
}

// A client behind a proxy whose first polls are several at once has one memory.
func TestFirstPollsAtOnceShareTheirBookmarks(t *testing.T) {
	p := newBookmarks(address.Source{TrustedHops: 1})
	chat := func() bookmark { return p.ofClient("203.0.113.1", "", "chat") }
	slow, quick, other := chat(), chat(), p.ofClient("203.0.113.1", "", "other")
	quick.set(at(1))
	chat().set(at(2))
	slow.set(at(1))
	require.Equal(t, history.After(at(2)), chat().since())
	other.set(at(7))
	require.Equal(t, history.After(at(2)), chat().since())
	require.Equal(t, history.After(at(7)), p.ofClient("203.0.113.1", "", "other").since())
}

// A client takes the same room however many messages it is given.
func TestBookmarkCountsOnce(t *testing.T) {
	p := newBookmarks(address.Source{TrustedHops: 1})
	p.ofClient("203.0.113.1", "", "chat").set(at(1))
	once := p.byAddress.Weights.Total()
	for id := range uint64(10) {
		p.ofClient("203.0.113.1", "", "chat").set(at(id))
	}
	require.Equal(t, once, p.byAddress.Weights.Total())
	require.Len(t, p.byID, 1)
}

// All tabs of a browser share a connection of HTTP/2, so it is no client by itself.
func TestBookmarksOverHTTP2(t *testing.T) {
	p := newBookmarks(address.Source{})
	of := func(id string) bookmark {
		r := httptest.NewRequest("GET", "/sub", nil)
		r.ProtoMajor, r.ProtoMinor = 2, 0
		if id != "" {
			r.Header.Set("X-Client-ID", id)
		}
		return p.of(r, "chat")
	}
	of("").set(at(1))
	require.Equal(t, history.Now(), of("").since())
	of("tab").set(at(2))
	require.Equal(t, history.After(at(2)), of("tab").since())
	require.Equal(t, history.Now(), of("another tab").since())
	require.Equal(t, history.Now(), of("").since())
}

// An address may invent as many clients as it likes: what is remembered is bounded,
// and the others' is not what is forgotten.
func TestInventedClientsPushOutNobodyElse(t *testing.T) {
	p := newBookmarks(address.Source{TrustedHops: 1})
	bob := func() bookmark { return p.ofClient("203.0.113.2", "bob", "chat") }
	bob().set(at(9))
	long := strings.Repeat("x", 1000)
	for i := range 2 * bookmarksBytes / bookmarksEntry {
		if invented := fmt.Sprint(long, i); i%2 == 0 {
			p.ofClient(invented+", 203.0.113.1", "", "chat").set(at(1))
		} else {
			p.ofClient("203.0.113.1", invented, "chat").set(at(1))
		}
		require.LessOrEqual(t, p.byAddress.Weights.Total(), bookmarksBytes)
		require.LessOrEqual(t, len(p.byID), bookmarksBytes/bookmarksEntry)
	}
	require.Greater(t, p.byAddress.Weights.Total(), bookmarksBytes*9/10)
	cid := func() bookmark { return p.ofClient("203.0.113.3", "cid", "chat") }
	cid().set(at(4))
	require.Equal(t, history.After(at(4)), cid().since(), "a newcomer")
	require.Equal(t, history.After(at(9)), bob().since())
	require.Equal(t, history.Now(), p.ofClient(long+"0, 203.0.113.1", "", "chat").since())
}

func TestBookmarksAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newBookmarks(address.Source{TrustedHops: 1})
		ann, bob := p.ofClient("203.0.113.1", "", "chat"), p.ofClient("203.0.113.2", "", "chat")
		ann.set(at(1))
		bob.set(at(1))
		time.Sleep(bookmarksFor - time.Second)
		bob.set(at(2))
		time.Sleep(time.Second)
		p.forget()
		require.Len(t, p.byID, 1)
		require.Equal(t, history.After(at(2)), p.ofClient("203.0.113.2", "", "chat").since())
		require.Zero(t, p.byAddress.Weights.Of(netip.MustParseAddr("203.0.113.1")))
	})
}
