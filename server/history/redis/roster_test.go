package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/internal/rostertest"
	"pubsub/server/history"
	"pubsub/server/history/redis"
	"pubsub/server/roster"
)

func TestRoster(t *testing.T) {
	r := pubsubtest.StartRedis(t)
	database := 0
	rostertest.Run(t, func(t *testing.T) roster.Roster {
		database++
		return rosterAt(t, fmt.Sprint(r.URL(), "/", database), time.Minute)
	})
}

func rosterAt(t *testing.T, url string, lease time.Duration) *redis.Roster {
	log, err := redis.Open(url, history.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log.Roster(lease)
}

// A name leaves when its last instance has taken it, or has not put it again in time; and
// one sweep alone is told.
func TestLeases(t *testing.T) {
	r := pubsubtest.StartRedis(t)
	a, b := rosterAt(t, r.URL(), time.Millisecond), rosterAt(t, r.URL(), time.Minute)
	ann, eve := roster.Person{Channel: "room", Name: "ann"}, roster.Person{Channel: "room", Name: "eve"}
	put := func(r *redis.Roster, people ...roster.Person) (n int) {
		changes, err := r.Put(t.Context(), people)
		require.NoError(t, err)
		return len(changes)
	}
	require.Equal(t, 2, put(a, ann, eve))
	require.Equal(t, 0, put(b, ann))
	var left []roster.Change
	require.Eventually(t, func() bool {
		for _, each := range []*redis.Roster{a, b} {
			changes, more, err := each.Sweep(t.Context())
			require.NoError(t, err)
			require.False(t, more)
			left = append(left, changes...)
		}
		return len(left) > 0
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, []roster.Change{{Person: eve, Count: 1, Named: true}}, left, "ann is with b")
	changes, err := a.Take(t.Context(), []roster.Person{ann})
	require.NoError(t, err)
	require.Empty(t, changes, "its lease has ended already")
	require.NoError(t, b.Release(t.Context(), []roster.Person{ann, eve}, time.Millisecond))
	require.Eventually(t, func() bool {
		changes, _, err := a.Sweep(t.Context())
		require.NoError(t, err)
		return len(changes) == 1 && changes[0].Name == "ann" && changes[0].Count == 0
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, "0", r.Do("exists", "pubsub:leases", "pubsub:{room}:here"), "nothing stays")
	for i := range 1000 {
		require.Equal(t, 1, put(a, roster.Person{Channel: "room", Name: fmt.Sprint(i)}))
	}
	swept := 0
	require.Eventually(t, func() bool {
		changes, _, err := b.Sweep(t.Context())
		require.NoError(t, err)
		swept += len(changes)
		return swept == 1000
	}, 10*time.Second, time.Millisecond)
	count, tell, err := a.Count(t.Context(), "room")
	require.NoError(t, err)
	require.Equal(t, []any{0, true}, []any{count, tell})
	_, tell, err = b.Count(t.Context(), "room")
	require.NoError(t, err)
	require.False(t, tell, "one tells it in a second")
	ttl := r.Do("ttl", "pubsub:leases")
	require.NotEqual(t, "-1", ttl)
}

// What Redis has evicted is put again.
func TestEvictedPeople(t *testing.T) {
	r := pubsubtest.StartRedis(t)
	a := rosterAt(t, r.URL(), time.Minute)
	people := []roster.Person{{Channel: "room", Name: "ann"}, {Channel: "room", Name: "bob"}}
	_, err := a.Put(t.Context(), people)
	require.NoError(t, err)
	for _, key := range []string{"pubsub:{room}:here", "pubsub:leases"} {
		r.Do("del", key)
		_, err = a.Put(t.Context(), people)
		require.NoError(t, err)
		count, _, err := a.Who(t.Context(), "room")
		require.NoError(t, err)
		require.Equal(t, 2, count)
	}
}
