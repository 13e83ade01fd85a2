package redis_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/history"
	"pubsub/server/history/redis"
	"pubsub/server/roster"
)

// Two deployments have one Redis, each with a prefix and a user that may do no more than the
// docs say. Nothing crosses.
func TestDeploymentsThatShareARedis(t *testing.T) {
	t.Parallel()
	r := pubsubtest.StartRedis(t)
	docs, err := os.ReadFile("../../../docs/deploy.md")
	require.NoError(t, err)
	var rule string
	for line := range strings.Lines(string(docs)) {
		if strings.HasPrefix(line, "ACL SETUSER ") {
			rule = line
		}
	}
	require.NotEmpty(t, rule, "docs/deploy.md has the rights")
	var logs [2]*redis.Log
	var rosters [2]*redis.Roster
	var bells [2]heard
	for i, app := range []string{"one:", "two:"} {
		r.Do(strings.Fields(strings.ReplaceAll(strings.ReplaceAll(rule, "myapp:", app), "SETUSER chat", fmt.Sprint("SETUSER chat", i)))...)
		logs[i], err = redis.OpenAs(app, fmt.Sprintf("redis://chat%d:secret@%s", i, r.Addr), history.Options{Messages: 10, Age: time.Hour, Bytes: 1 << 20})
		require.NoError(t, err)
		defer logs[i].Close()
		rosters[i] = logs[i].Roster(time.Minute)
		bells[i] = heard{make(chan string, 10), make(chan error, 10)}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); logs[i].Listen(ctx, bells[i]) }()
		defer func() { stop(); <-ended }()
		require.NoError(t, <-bells[i].away)
	}
	_, err = redis.OpenAs("two:", fmt.Sprintf("redis://chat0:secret@%s", r.Addr), history.Options{})
	require.ErrorContains(t, err, "All keys begin with two:")

	for i := range logs { // the second begins anew
		require.Equal(t, uint64(1), say(t, logs[i], "chat").ID)
		_, err := logs[i].Companions(history.Options{Messages: 10}).Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`), Key: "k"})
		require.NoError(t, err)
		_, err = logs[i].Read(t.Context(), history.Query{Channel: "chat", Since: history.All(), Limit: 10})
		require.NoError(t, err)
		channels, err := logs[i].Channels(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"chat"}, channels)
		require.NoError(t, logs[i].SetBack(t.Context(), "chat", "no epoch"))
		changes, err := rosters[i].Put(t.Context(), []roster.Person{{Channel: "chat", Name: "ann"}})
		require.NoError(t, err)
		require.Len(t, changes, 1)
		tell, err := rosters[i].Typed(t.Context(), roster.Person{Channel: "chat", Name: "ann"})
		require.NoError(t, err)
		require.True(t, tell)
		count, _, err := rosters[i].Who(t.Context(), "chat")
		require.NoError(t, err)
		require.Equal(t, 1, count)
		_, _, err = rosters[i].Count(t.Context(), "chat")
		require.NoError(t, err)
	}
	require.NoError(t, logs[0].Tickets(time.Minute).KeepTicket(t.Context(), "t", []byte("v")))
	ticket, err := logs[1].Tickets(time.Minute).TakeTicket(t.Context(), "t")
	require.NoError(t, err)
	require.Nil(t, ticket)
	ticket, err = logs[0].Tickets(time.Minute).TakeTicket(t.Context(), "t")
	require.NoError(t, err)
	require.NotNil(t, ticket)

	require.Equal(t, "chat 1", <-bells[0].rings)
	require.Equal(t, "chat 2", <-bells[0].rings, "the first alone, not the other's")
	require.Equal(t, "chat 1", <-bells[1].rings)
	for key := range strings.FieldsSeq(r.Do("keys", "*")) {
		require.Regexp(t, `^"?(one|two):`, key)
	}
}
