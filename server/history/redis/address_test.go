package redis

import (
	"testing"

	"pubsub/server/history"

	"github.com/stretchr/testify/require"
)

func TestAddresses(t *testing.T) {
	a, err := parse("redis://ann:se%40cret@db.example.org/3")
	require.NoError(t, err)
	require.Equal(t, target{name: "redis://db.example.org/3", hosts: []string{"db.example.org:6379"}, user: "ann", password: "se@cret", database: 3}, *a)
	a, err = parse("rediss://:pw@host:6380?tls=unverified")
	require.NoError(t, err)
	require.True(t, a.tls && a.unverified)
	require.Equal(t, "rediss://host:6380", a.name)
	a, err = parse("redis-sentinel://:pw@a:26379,b:26380,[::1]/chief/2")
	require.NoError(t, err)
	require.Equal(t, []string{"a:26379", "b:26380", "[::1]:26379"}, a.hosts)
	require.Equal(t, "chief", a.masterSet)
	require.Equal(t, 2, a.database)
}

// What is wrong is told without the password.
func TestWrongAddresses(t *testing.T) {
	for address, sentence := range map[string]string{
		"redis://:hidden@":                 "no host",
		"redis://:hidden@host/many":        "no number of a Redis database",
		"redis://:hidden@host?tls=perhaps": `option "tls"`,
		"redis-sentinel://:hidden@host":    "ends in the name of the master",
		"redis://:hid%zzden@host":          "percent-encoded",
	} {
		_, err := parse(address)
		require.ErrorContains(t, err, sentence)
		require.NotContains(t, err.Error(), "hid")
		require.True(t, IsAddress(address))
	}
	_, err := Open("redis://:hidden@127.0.0.1:1", history.Options{})
	require.ErrorContains(t, err, "the Redis at redis://127.0.0.1:1 cannot be reached")
	require.NotContains(t, err.Error(), "hidden")
	require.False(t, IsAddress("./data"))
}
