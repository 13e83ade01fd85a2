package address_test

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/address"
)

// of is the address of a request by a peer, with X-Forwarded-For if there is any, and the
// owner of what it posts.
func of(hops int, peer string, forwarded ...string) (host, network string) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = peer
	for _, header := range forwarded {
		r.Header.Add("X-Forwarded-For", header)
	}
	s := address.Source{TrustedHops: hops}
	return s.Of(r).String(), s.NetworkOf(r).String()
}

func TestAddressesOfPeers(t *testing.T) {
	for peer, want := range map[string][2]string{
		"192.0.2.1:1234":              {"192.0.2.1", "192.0.2.1"},
		"[::ffff:192.0.2.1]:1234":     {"192.0.2.1", "192.0.2.1"},
		"[2001:db8:1:2:3:4:5:6]:1234": {"2001:db8:1:2::", "2001:db8:1::"},
		"[fe80:1:2:3:4::5%eth0]:1234": {"fe80:1:2:3::", "fe80:1:2::"},
		"[2001:db8:1:2:ffff::]:1234":  {"2001:db8:1:2::", "2001:db8:1::"},
		"@":                           {"invalid IP", "invalid IP"}, // a Unix socket
		"":                            {"invalid IP", "invalid IP"},
	} {
		host, network := of(0, peer, "203.0.113.7")
		require.Equal(t, want, [2]string{host, network}, peer)
	}
}

// Each proxy adds an entry at the end. What stands before those of the trusted ones is the
// client's own invention.
func TestAddressesBehindProxies(t *testing.T) {
	for _, c := range []struct {
		hops      int
		forwarded []string
		want      string
	}{
		{1, []string{"203.0.113.7"}, "203.0.113.7"},
		{1, []string{"10.9.8.7, 203.0.113.7"}, "203.0.113.7"},
		{1, []string{"10.9.8.7", "203.0.113.7"}, "203.0.113.7"},
		{2, []string{"10.9.8.7, 203.0.113.7, 198.51.100.1"}, "203.0.113.7"},
		{2, []string{"10.9.8.7,203.0.113.7", "198.51.100.1"}, "203.0.113.7"},
		{3, []string{"203.0.113.7, 198.51.100.1"}, "203.0.113.7"}, // fewer than there should be
		{1, []string{"203.0.113.7:80"}, "203.0.113.7"},
		{1, []string{"2001:db8:1:2:3::4"}, "2001:db8:1:2::"},
		{1, []string{"[2001:db8:1:2:3::4]"}, "2001:db8:1:2::"},
		{1, []string{"[2001:db8:1:2:3::4]:80"}, "2001:db8:1:2::"},
		{1, []string{"unknown"}, "192.0.2.1"}, // then the peer's
		{1, []string{"203.0.113.7,"}, "192.0.2.1"},
		{1, nil, "192.0.2.1"},
		{0, []string{"203.0.113.7"}, "192.0.2.1"}, // from whoever
	} {
		host, _ := of(c.hops, "192.0.2.1:1234", c.forwarded...)
		require.Equal(t, c.want, host, "%d of %q", c.hops, c.forwarded)
	}
}

func TestIsForwarded(t *testing.T) {
	for _, name := range []string{"Forwarded", "X-Forwarded-For"} {
		r := httptest.NewRequest("GET", "/", nil)
		require.False(t, address.IsForwarded(r.Header))
		r.Header.Set(name, "for=203.0.113.7")
		require.True(t, address.IsForwarded(r.Header))
	}
	require.Equal(t, "2001:db8::", address.Host(netip.MustParseAddr("2001:db8::1")).String())
}

func TestForwardedForIsWithoutPorts(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Add("Forwarded", `for=192.0.2.60:4711;proto=http;by=203.0.113.43, For="[2001:db8::17]:80";connection=3`)
	r.Header.Add("Forwarded", `proto=https; for=unknown,for="_hidden:9", for`)
	require.Equal(t, []string{"192.0.2.60", "2001:db8::17", "unknown", "_hidden:9", ""}, address.ForwardedFor(r.Header))
	require.Empty(t, address.ForwardedFor(httptest.NewRequest("GET", "/", nil).Header))
}

// Of an IPv6 address all is known, also where limits go by its network.
func TestExactAddresses(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "[::ffff:192.0.2.1]:80"
	require.Equal(t, "192.0.2.1", address.Source{TrustedHops: 1}.Exactly(r).String())
	r.Header.Set("X-Forwarded-For", "[2001:db8:1:2:3:4:5:6]:1234")
	require.Equal(t, "2001:db8:1:2:3:4:5:6", address.Source{TrustedHops: 1}.Exactly(r).String())
	require.Equal(t, "192.0.2.1", address.Source{}.Exactly(r).String())
}
