// Package redis is a log of messages in a Redis, shared by any number of instances.
//
// A channel is a stream with dense ids. A script appends to it, with the clock of Redis,
// and rings one bell for all channels; see [Log.Listen]. What is acknowledged is as safe
// as Redis is set to keep it.
package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"crypto/sha256"

	"github.com/redis/rueidis"

	"pubsub/server/history"
)

//go:embed append.lua
var appendSource string

//go:embed read.lua
var readSource string

//go:embed beat.lua
var beatSource string

//go:embed setback.lua
var setBackSource string

var (
	appendScript = rueidis.NewLuaScript(appendSource)
	readScript   = rueidis.NewLuaScript(readSource)
	beatScript   = rueidis.NewLuaScript(beatSource)

	setBackScript = rueidis.NewLuaScript(setBackSource)
)

// Names in Redis. What belongs to one channel has it in braces.
const (
	prefix = "pubsub:"
	epochs = prefix + "epochs"
)

func streamOf(channel string) string { return prefix + "{" + channel + "}:log" }
func metaOf(channel string) string   { return prefix + "{" + channel + "}:meta" }

func keyOf(post history.Post) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q ", post.Key)
	sum.Write(post.Object)
	return prefix + "{" + post.Channel + "}:key:" + hex.EncodeToString(sum.Sum(nil)[:16])
}

// bell is where a database rings: all databases of a Redis share its Pub/Sub.
func (t *target) bell() string { return prefix + "bell:" + strconv.Itoa(t.database) }

func (l *Log) begunBy(owner history.Owner) string { return l.begun + owner.String() }

// Log is a [history.Log] in a Redis. Close it.
type Log struct {
	target  *target
	client  rueidis.Client
	options history.Options
	calls   chan struct{} // one token for each call under way
	renewed *atomic.Int64 // when the connection was given up last, in nanoseconds

	listed string // where its channels are listed
	begun  string // the beginning of where those are listed that an owner began
}

var _ history.Log = (*Log)(nil)

// manyCalls is fewer than the ring of a client holds: a full one ignores deadlines.
const manyCalls = 200

// Open connects to the Redis at an address. The bounds are for each channel; a bound in
// bytes is of the posted objects.
func Open(address string, options history.Options) (*Log, error) {
	t, err := parse(address)
	if err != nil {
		return nil, err
	}
	client, err := rueidis.NewClient(t.option())
	if err != nil {
		return nil, fmt.Errorf("the Redis at %s cannot be reached: %w", t.name, explain(t, err))
	}
	l := &Log{target: t, client: client, options: options, calls: make(chan struct{}, manyCalls), renewed: new(atomic.Int64),
		listed: prefix + "channels", begun: prefix + "begun:"}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := l.tryOut(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("the Redis at %s cannot be used: %w", t.name, explain(t, err))
	}
	return l, nil
}

// tryOut finds out at the start what would make each post fail later.
func (l *Log) tryOut(ctx context.Context) error {
	cluster, err := l.isCluster(ctx)
	switch {
	case err != nil:
		return err
	case cluster:
		return errCluster
	}
	_, err = l.beat(ctx)
	return err
}

// Companions returns a log in the same Redis that lists its channels apart, with bounds of
// its own. It ends with l: do not close it.
func (l *Log) Companions(options history.Options) *Log {
	own := *l
	own.options, own.listed, own.begun = options, prefix+"companions", prefix+"companions:begun:"
	return &own
}

// Close ends the connection.
func (l *Log) Close() error {
	l.client.Close()
	return nil
}

// call has a script run, in time.
func (l *Log) call(ctx context.Context, script *rueidis.Lua, keys, args []string) ([]rueidis.RedisMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	select {
	case l.calls <- struct{}{}:
		defer func() { <-l.calls }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", history.ErrAway, context.Cause(ctx))
	}
	said, err := script.Exec(ctx, l.client, keys, args).ToArray()
	l.heed(err)
	switch {
	case err == nil:
		return said, nil
	case strings.HasPrefix(err.Error(), "OOM "):
		return nil, fmt.Errorf("%w: %w", history.ErrFull, err)
	}
	return nil, fmt.Errorf("%w: %w", history.ErrAway, err)
}

// metaStays is how long a channel is remembered when its messages are gone.
const metaStays = 24 * time.Hour

// forEver is how long messages stay that have no age, in seconds: every key needs an
// end, or a Redis that evicts those with one is filled by the others.
const forEver = 10 * 365 * 24 * time.Hour

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

func newEpoch() string { return strings.ToLower(rand.Text()[:12]) }

// Append implements [history.Log].
func (l *Log) Append(ctx context.Context, post history.Post) (history.Receipt, error) {
	keyed, keyName := "0", streamOf(post.Channel) // where there is no key, any name of the channel does
	if post.Key != "" {
		keyed, keyName = "1", keyOf(post)
	}
	stays := forEver
	if l.options.Age > 0 {
		stays = l.options.Age + time.Minute
	}
	channels, ofOwner := l.options.Channels, l.options.ChannelsPerOwner
	if post.Channel == l.options.Home {
		channels, ofOwner = 0, 0
	}
	said, err := l.call(ctx, appendScript,
		[]string{streamOf(post.Channel), metaOf(post.Channel), keyName, l.listed, l.begunBy(post.By)},
		[]string{post.Channel, string(post.Object), strconv.Itoa(l.options.Messages), micros(l.options.Age), strconv.Itoa(l.options.Bytes), newEpoch(),
			keyed, seconds(history.KeyFor), strconv.Itoa(channels), strconv.Itoa(ofOwner), l.target.bell(), seconds(stays + metaStays), seconds(stays),
			l.options.Home})
	if err != nil {
		return history.Receipt{}, err
	}
	return receiptOf(post, said)
}

func micros(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// Outcomes of append.lua.
const (
	appended = iota
	repeated
	tooManyOfOwner
	tooManyChannels
)

func receiptOf(post history.Post, said []rueidis.RedisMessage) (history.Receipt, error) {
	outcome, err := said[0].AsInt64()
	switch {
	case err != nil:
		return history.Receipt{}, err
	case outcome == tooManyOfOwner:
		return history.Receipt{}, history.ErrTooManyOfOwner
	case outcome == tooManyChannels:
		return history.Receipt{}, history.ErrTooManyChannels
	}
	epoch, _ := said[1].ToString()
	id, at := numberOf(&said[2]), time.UnixMicro(int64(numberOf(&said[3]))).UTC()
	receipt := history.Receipt{Cursor: history.Cursor{Epoch: epoch, ID: id, Check: history.CheckOf(at)}, Repeat: outcome == repeated}
	if receipt.Repeat {
		receipt.Message = history.Message{ID: id, Time: at}
	} else {
		receipt.Message = history.NewMessage(id, at, post.Channel, post.Object)
	}
	return receipt, nil
}

// numberOf reads what a script has written as a whole number, or 0.
func numberOf(m *rueidis.RedisMessage) uint64 {
	text, _ := m.ToString()
	n, _ := strconv.ParseInt(text, 10, 64)
	return uint64(max(n, 0))
}

// Channels implements [history.Log].
func (l *Log) Channels(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	names, err := l.client.Do(ctx, l.client.B().Zrange().Key(l.listed).Min(l.oldest()).Max("+inf").Byscore().Build()).AsStrSlice()
	l.heed(err)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", history.ErrAway, err)
	}
	slices.Sort(names)
	return names, nil
}

// Len implements [history.Log].
func (l *Log) Len(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	n, err := l.client.Do(ctx, l.client.B().Zcount().Key(l.listed).Min(l.oldest()).Max("+inf").Build()).AsInt64()
	l.heed(err)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", history.ErrAway, err)
	}
	return int(n), nil
}

// oldest is the score of a channel that has messages still, by our own clock: for a list
// that is good enough.
func (l *Log) oldest() string {
	if l.options.Age == 0 {
		return "-inf"
	}
	return "(" + strconv.FormatInt(time.Now().Add(-l.options.Age).UnixMicro(), 10)
}
