package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
)

func TestAddresses(t *testing.T) {
	for address, want := range map[string]target{
		"redis://host":                     {name: "redis://host", hosts: []string{"host:6379"}},
		"redis://[::1]:7/3":                {name: "redis://[::1]:7/3", hosts: []string{"[::1]:7"}, database: 3},
		"rediss://:p%40ss@host":            {name: "rediss://host", hosts: []string{"host:6379"}, password: "p@ss", tls: true},
		"rediss://u:p@host?tls=unverified": {name: "rediss://host", hosts: []string{"host:6379"}, user: "u", password: "p", tls: true, unverified: true},
		"redis-sentinel://:p@a,b:7/chat/2?sentinel_password=q%40&sentinel_user=s": {name: "redis-sentinel://a,b:7/chat/2", hosts: []string{"a:26379", "b:7"}, password: "p",
			masterSet: "chat", database: 2, sentinelUser: "s", sentinelPassword: "q@"},
		"redis-sentinel://a/chat?tls=verified": {name: "redis-sentinel://a/chat", hosts: []string{"a:26379"}, masterSet: "chat", tls: true},
	} {
		got, err := parse(address)
		require.NoError(t, err, address)
		require.Equal(t, want, *got)
		o := got.option()
		require.Equal(t, want.tls, o.TLSConfig != nil)
		require.Equal(t, want.tls && want.masterSet != "", o.Sentinel.TLSConfig != nil)
		require.NotEqual(t, o.ForceSingleClient, want.masterSet != "")
	}
}

// A wrong address is told, without what may be a password in it.
func TestWrongAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"redis://":                              "no host",
		"redis://:secret%@host":                 "percent-encoded",
		"redis://:secret@host/x":                "no number",
		"redis://:secret@host?tls=unverified":   "rediss://",
		"rediss://:secret@host?tls=never":       "unverified",
		"redis://:secret@host?sentinel_user=u":  "sentinel_user",
		"redis-sentinel://:secret@host":         "name of the master",
		"redis-sentinel://:secret@h/m?password": "is none",
	} {
		_, err := parse(address)
		require.ErrorContains(t, err, want, address)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestUnreachableAddress(t *testing.T) {
	_, err := Open("redis://:hidden@127.0.0.1:1", history.Options{})
	require.ErrorContains(t, err, "the Redis at redis://127.0.0.1:1 cannot be reached")
	require.NotContains(t, err.Error(), "hidden")
	require.True(t, IsAddress("rediss://host"))
	require.False(t, IsAddress("./data"))
}
