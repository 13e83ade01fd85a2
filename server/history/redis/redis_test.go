package redis_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/internal/historytest"
	"pubsub/internal/pubsubtest"
	"pubsub/server/history"
	"pubsub/server/history/redis"
	"pubsub/server/history/tail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a redis-server and returns its address.
func start(t testing.TB, options ...string) (address string) {
	return pubsubtest.StartRedis(t, options...).URL()
}

func TestContract(t *testing.T) {
	address, databases := start(t), 0
	open := func(t testing.TB, options history.Options) history.Log {
		databases++
		log, err := redis.Open(fmt.Sprintf("%s/%d", address, databases), options)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, log.Close()) })
		return log
	}
	historytest.Contract(t, open)
	historytest.Bytes(t, open)
	historytest.Dropped(t, open)
	historytest.Owners(t, open)
	historytest.Owners(t, func(t testing.TB, options history.Options) history.Log {
		return tail.New(open(t, options), tail.Options{Messages: options.Messages, Age: options.Age, Shared: true})
	})
}

// Who lets a channel have fewer messages than before has no more told, though they are there.
func TestFewerMessagesThanBefore(t *testing.T) {
	address := start(t)
	open := func(messages int) *redis.Log {
		log, err := redis.Open(address, history.Options{Messages: messages, Age: time.Hour})
		require.NoError(t, err)
		return log
	}
	before := open(10)
	for range 10 {
		say(t, before, "room")
	}
	require.NoError(t, before.Close())
	log := open(3)
	defer log.Close()
	page, err := log.Read(t.Context(), history.Query{Channel: "room", Since: history.All(), Limit: 100, Bytes: 1 << 20})
	require.NoError(t, err)
	require.Len(t, page.Messages, 3)
	require.EqualValues(t, 8, page.Messages[0].ID)
}

// A stranger floods a Redis that has little memory: nobody else is refused, and an honest
// room keeps all it has.
func TestFloodInARedis(t *testing.T) {
	t.Parallel()
	r := pubsubtest.StartRedis(t, "--maxmemory", "4mb")
	log, err := redis.Open(r.URL(), history.Options{Messages: 1000, Age: time.Hour, Bytes: 1 << 30, BytesPerOwner: 16 << 20})
	require.NoError(t, err)
	defer log.Close()
	post := func(channel string, by byte, bytes int) {
		object := fmt.Appendf(nil, `{"message":"%0*d"}`, bytes, 0)
		_, err := log.Append(t.Context(), history.Post{Channel: channel, Object: object, By: netip.AddrFrom4([4]byte{192, 0, 2, by})})
		require.NoError(t, err)
	}
	for range 200 {
		post("honest", 1, 100)
	}
	for i := range 3000 {
		post(fmt.Sprint("flood", i%20), byte(2+i%3), 1+(i%2)*5000)
		if i%30 == 0 {
			post("honest", 1, 100)
		}
	}
	page, err := log.Read(t.Context(), history.Query{Channel: "honest", Since: history.All(), Limit: 999})
	require.NoError(t, err)
	require.Len(t, page.Messages, 300)
}

type heard struct {
	rings chan string
	away  chan error
}

func (h heard) Heard(channel string, at history.Cursor) { h.rings <- fmt.Sprint(channel, " ", at.ID) }
func (h heard) Left(history.Left)                       {}
func (h heard) Doubt()                                  {}
func (h heard) Away(err error) {
	select {
	case h.away <- err:
	default:
	}
}

func TestBell(t *testing.T) {
	log, err := redis.Open(start(t), history.Options{})
	require.NoError(t, err)
	defer log.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	h := heard{make(chan string, 10), make(chan error, 10)}
	go func() { defer close(ended); log.Listen(ctx, h) }()
	require.NoError(t, <-h.away)
	_, err = log.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
	require.NoError(t, err)
	require.Equal(t, "chat 1", <-h.rings)
	stop()
	<-ended
}

// A Redis that can be read, and to which nobody can write, is away, and comes back.
func TestRedisThatTakesNothingIsAway(t *testing.T) {
	t.Parallel()
	r := pubsubtest.StartRedis(t)
	log, err := redis.Open(r.URL(), history.Options{})
	require.NoError(t, err)
	defer log.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	h := heard{make(chan string, 10), make(chan error, 10)}
	go func() { defer close(ended); log.Listen(ctx, h) }()
	require.NoError(t, <-h.away)
	r.Do("config", "set", "min-replicas-to-write", "1")
	for err == nil {
		err = <-h.away
	}
	require.ErrorContains(t, err, "NOREPLICAS")
	r.Do("config", "set", "min-replicas-to-write", "0")
	for err != nil {
		err = <-h.away
	}
	stop()
	<-ended
}

// Whoever uses another database of the same Redis rings for nobody here.
func TestDatabasesHaveTheirOwnBells(t *testing.T) {
	address := start(t, "--databases", "9")
	var logs [2]*redis.Log
	for i := range logs {
		var err error
		logs[i], err = redis.Open(fmt.Sprint(address, "/", i), history.Options{})
		require.NoError(t, err)
		defer logs[i].Close()
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	h := heard{make(chan string, 10), make(chan error, 10)}
	go func() { defer close(ended); logs[0].Listen(ctx, h) }()
	require.NoError(t, <-h.away)
	for i, channel := range slices.Backward([]string{"ours", "theirs"}) { // theirs first
		_, err := logs[i].Append(t.Context(), history.Post{Channel: channel, Object: []byte(`{}`)})
		require.NoError(t, err)
	}
	require.Equal(t, "ours 1", <-h.rings)
	require.Empty(t, h.rings)
	stop()
	<-ended
}

// do sends a command to a Redis beside the log.
func do(t *testing.T, address string, command ...string) rueidis.RedisResult {
	client, err := rueidis.NewClient(rueidis.MustParseURL(address))
	require.NoError(t, err)
	defer client.Close()
	result := client.Do(t.Context(), client.B().Arbitrary(command...).Build())
	require.NoError(t, result.Error())
	return result
}

func say(t *testing.T, log *redis.Log, channel string) history.Cursor {
	receipt, err := log.Append(t.Context(), history.Post{Channel: channel, Object: []byte(`{}`)})
	require.NoError(t, err)
	return receipt.Cursor
}

// A Redis that is full may forget where a channel was, and keep its messages: the channel
// begins anew, and its readers are told.
func TestChannelWhoseEpochIsForgotten(t *testing.T) {
	address := start(t)
	log, err := redis.Open(address, history.Options{})
	require.NoError(t, err)
	defer log.Close()
	say(t, log, "chat")
	old := say(t, log, "chat")
	do(t, address, "DEL", "pubsub:{chat}:meta")
	renewed := say(t, log, "chat")
	require.NotEqual(t, old.Epoch, renewed.Epoch)
	page, err := log.Read(t.Context(), history.Query{Channel: "chat", Since: history.After(old), Limit: 9})
	require.NoError(t, err)
	require.Equal(t, &history.Gap{Reason: history.Restarted}, page.Gap)
	require.Len(t, page.Messages, 1)
	require.Equal(t, renewed, page.Cursor)
}

// The first message after a silence in which the stream has expired is for everybody: for
// readers that had all before it, and for those that begin. A reader that missed some is told
// how many.
func TestMessageAfterASilence(t *testing.T) {
	address := start(t)
	log, err := redis.Open(address, history.Options{Age: time.Hour})
	require.NoError(t, err)
	defer log.Close()
	first := say(t, log, "chat")
	say(t, log, "chat")
	last := say(t, log, "chat")
	wrong := last
	wrong.Check = wrong.Check%1000 + 1
	for round := range 3 { // each silence ends with one message
		do(t, address, "DEL", "pubsub:{chat}:log")
		after := say(t, log, "chat")
		for name, c := range map[string]struct {
			since history.Since
			gap   *history.Gap
		}{
			"had all":            {history.After(last), nil},
			"begins":             {history.All(), nil},
			"missed some":        {history.After(first), &history.Gap{Reason: history.Expired, Missed: uint64(2 + round)}},
			"was somewhere else": {history.After(wrong), &history.Gap{Reason: history.Restarted}},
		} {
			page, err := log.Read(t.Context(), history.Query{Channel: "chat", Since: c.since, Limit: 9})
			require.NoError(t, err)
			require.Equal(t, c.gap, page.Gap, name)
			require.Len(t, page.Messages, 1, name)
			require.Equal(t, after, page.Cursor, name)
		}
		last, wrong = after, after
		wrong.Check = wrong.Check%1000 + 1
	}
}

// Channels that have expired make room, to all and to who has begun them.
func TestExpiredChannelsMakeRoom(t *testing.T) {
	address := start(t)
	for i, options := range []history.Options{{Channels: 1}, {ChannelsPerOwner: 1}} {
		options.Age = 10 * time.Millisecond
		log, err := redis.Open(fmt.Sprint(address, "/", i), options)
		require.NoError(t, err)
		defer log.Close()
		say(t, log, "one")
		require.Eventually(t, func() bool {
			_, err := log.Append(t.Context(), history.Post{Channel: "another", Object: []byte(`{}`)})
			return err == nil
		}, 10*time.Second, time.Millisecond)
	}
}

// Every key has an end: a Redis that evicts those that have one would be filled by others.
func TestKeysHaveAnEnd(t *testing.T) {
	address := start(t)
	for i, options := range []history.Options{{}, {Age: time.Minute, Messages: 5, Channels: 5, ChannelsPerOwner: 5}} {
		log, err := redis.Open(address, options)
		require.NoError(t, err)
		defer log.Close()
		_, err = log.Append(t.Context(), history.Post{Channel: fmt.Sprint(i), Object: []byte(`{}`), Key: "key"})
		require.NoError(t, err)
	}
	keys, err := do(t, address, "KEYS", "*").AsStrSlice()
	require.NoError(t, err)
	require.Len(t, keys, 15, "%q: of each channel a log, a place and a receipt; the lists, and the epochs", keys)
	require.NotContains(t, strings.Join(keys, " "), "invalid")
	for _, key := range keys {
		left, err := do(t, address, "TTL", key).AsInt64()
		require.NoError(t, err)
		require.Positive(t, left, key)
	}
}

// Timestamps rise also where the clock of Redis was set back.
func TestClockThatWasSetBack(t *testing.T) {
	address := start(t)
	log, err := redis.Open(address, history.Options{})
	require.NoError(t, err)
	defer log.Close()
	say(t, log, "chat")
	later := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	do(t, address, "HSET", "pubsub:{chat}:meta", "time", fmt.Sprint(later.UnixMicro()))
	for i := range 3 {
		receipt, err := log.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
		require.NoError(t, err)
		require.Equal(t, later.Add(time.Duration(i+1)*time.Microsecond).UTC(), receipt.Message.Time)
	}
}

// doubts tells of doubts, and of nothing else.
type doubts chan struct{}

func (doubts) Heard(string, history.Cursor) {}
func (doubts) Left(history.Left)            {}
func (doubts) Away(error)                   {}
func (d doubts) Doubt()                     { d <- struct{}{} }

// Who hears another server beat, or this one with another past, has not heard it all.
func TestAnotherServerIsADoubt(t *testing.T) {
	address := start(t)
	log, err := redis.Open(address, history.Options{})
	require.NoError(t, err)
	defer log.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended, heard := make(chan struct{}), make(doubts, 100)
	go func() { defer close(ended); log.Listen(ctx, heard) }()
	<-heard // since nothing was heard before
	for _, who := range []string{"one/past", "one/other"} {
		do(t, address, "PUBLISH", "pubsub:bell:0", "/ "+who)
		<-heard
	}
	stop()
	<-ended
}
