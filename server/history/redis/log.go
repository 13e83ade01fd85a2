// Package redis is a log of messages in a Redis, which any number of instances share.
//
// A channel is a stream whose ids have no holes. A script appends to it by the clock of
// Redis, and rings one bell for all channels, see [Log.Listen]. An acknowledged message is as
// safe as Redis is configured to keep it.
package redis

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"pubsub/server/history"
)

//go:embed append.lua
var appendSource string

//go:embed list.lua
var listSource string

//go:embed read.lua
var readSource string

//go:embed beat.lua
var beatSource string

//go:embed setback.lua
var setBackSource string

var (
	appendScript = rueidis.NewLuaScript(appendSource)
	readScript   = rueidis.NewLuaScript(readSource)
	listScript   = rueidis.NewLuaScript(listSource)
	beatScript   = rueidis.NewLuaScript(beatSource)

	setBackScript = rueidis.NewLuaScript(setBackSource)
)

// nobody is the name of an invalid owner.
const nobody = "nobody"

func nameOf(owner history.Owner) string {
	if !owner.IsValid() {
		return nobody
	}
	return owner.String()
}

// Log is a [history.Log] in a Redis. Make it with [Open], and close it. Its methods are safe
// for concurrent use. Each of its scripts waits for Redis at most callTimeout.
type Log struct {
	target  *target
	client  rueidis.Client
	options history.Options
	calls   chan struct{} // has a token for each call under way
	reads   chan struct{} // has a token for each reading call under way
	renewed *atomic.Int64 // when the connection was last closed by heed, in Unix nanoseconds

	names names
	lists string        // prefix of the keys that belong to no single channel
	share int           // messages may take this part of the memory of Redis: 2 is a half
	most  *atomic.Int64 // bytes that Redis may take; 0 if they are not bounded
}

var _ history.Log = (*Log)(nil)

// manyCalls is less than a client's ring holds, because deadlines are ignored when it is
// full.
const manyCalls = 200

// manyReads bounds the reads, so that calls are left for posts.
const manyReads = manyCalls / 2

// Parts of the memory of Redis that messages may take. A part that is less than the bound of
// the settings replaces it. The rest is for memory that is not counted, and for others.
const (
	shareOfMessages   = 2
	shareOfCompanions = 8
)

// Open connects to the Redis at an address, where all names begin with [Prefix]. The errors are
// for people to read.
func Open(address string, options history.Options) (*Log, error) {
	return OpenAs(Prefix, address, options)
}

// OpenAs is Open with another prefix. Logs share nothing but the memory of Redis if neither of
// their prefixes begins with the other.
func OpenAs(prefix, address string, options history.Options) (*Log, error) {
	t, err := parse(address)
	if err != nil {
		return nil, err
	}
	n := names(prefix)
	client, err := rueidis.NewClient(t.option())
	if err != nil {
		return nil, fmt.Errorf("the Redis at %s cannot be reached: %w", t.name, explain(t, n, err))
	}
	l := &Log{target: t, client: client, options: options, calls: make(chan struct{}, manyCalls), reads: make(chan struct{}, manyReads),
		renewed: new(atomic.Int64), names: n, lists: prefix, share: shareOfMessages, most: new(atomic.Int64)}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := l.tryOut(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("the Redis at %s cannot be used: %w", t.name, explain(t, n, err))
	}
	return l, nil
}

// tryOut finds out at the start what would make each post fail.
func (l *Log) tryOut(ctx context.Context) error {
	cluster, err := l.isCluster(ctx)
	switch {
	case err != nil:
		return err
	case cluster:
		return errCluster
	}
	return l.beat(ctx)
}

// Companions returns a log in the same Redis with its own list of channels and its own
// bounds. It ends with l: do not close it.
func (l *Log) Companions(options history.Options) *Log {
	own := *l
	own.options, own.lists, own.share = options, string(l.names)+"companions:", shareOfCompanions
	return &own
}

// Close closes the connection.
func (l *Log) Close() error {
	l.client.Close()
	return nil
}

// call runs a script, and waits at most callTimeout. The error is ErrAway or ErrFull.
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

// ask is call for reads, see manyReads.
func (l *Log) ask(ctx context.Context, script *rueidis.Lua, keys, args []string) ([]rueidis.RedisMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	select {
	case l.reads <- struct{}{}:
		defer func() { <-l.reads }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", history.ErrAway, context.Cause(ctx))
	}
	return l.call(ctx, script, keys, args)
}

// metaStays is how long a channel is remembered after its messages have left.
const metaStays = 24 * time.Hour

// forEver is the lifetime of messages without an age. Every key needs an expiry: a Redis that
// evicts keys with an expiry would fill up with the others.
const forEver = 10 * 365 * 24 * time.Hour

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// displaceTries bounds how often another channel is tried, because others may displace one at
// the same time.
const displaceTries = 3

// Append implements [history.Log].
func (l *Log) Append(ctx context.Context, post history.Post) (history.Receipt, error) {
	displaced := ""
	for try := 1; ; try++ {
		said, err := l.append(ctx, post, displaced)
		if err != nil {
			return history.Receipt{}, err
		}
		receipt, candidates, err := receiptOf(post, said)
		displaced = l.unwaited(candidates)
		if displaced == "" || try == displaceTries {
			return receipt, err
		}
	}
}

// unwaited returns the first channel on which no client of this instance waits, "" if there
// is none.
func (l *Log) unwaited(channels []string) string {
	for _, channel := range channels {
		if l.options.Waited == nil || !l.options.Waited(channel) {
			return channel
		}
	}
	return ""
}

func (l *Log) append(ctx context.Context, post history.Post, displaced string) ([]rueidis.RedisMessage, error) {
	keep, keyName := "0", l.names.log(post.Channel) // without a key, any name of the channel will do
	if post.Key != "" {
		keep, keyName = seconds(history.KeyFor), l.names.receipt(post)
	}
	stays := forEver
	if l.options.Age > 0 {
		stays = l.options.Age + time.Minute
	}
	o := l.options
	return l.call(ctx, appendScript,
		[]string{l.names.log(post.Channel), l.names.meta(post.Channel), keyName},
		[]string{post.Channel, string(post.Object), nameOf(post.By), strconv.Itoa(o.Messages), micros(o.Age), strconv.Itoa(l.mostBytes()), strconv.Itoa(o.BytesPerOwner),
			strconv.Itoa(o.Channels), strconv.Itoa(o.ChannelsPerOwner), o.Home,
			l.bell(), history.NewEpoch(), keep, seconds(stays + metaStays), seconds(stays),
			strconv.Itoa(history.Weight("", 0)), string(l.names), l.lists, displaced})
}

// mostBytes returns the bound on the bytes of all messages, from the settings and the memory
// of Redis. When that memory is full, Redis takes no posts.
func (l *Log) mostBytes() int {
	most := int(min(l.most.Load()/int64(l.share), math.MaxInt)) // an int may have 32 bits
	if most == 0 || l.options.Bytes > 0 && l.options.Bytes < most {
		return l.options.Bytes
	}
	return most
}

func micros(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// Outcomes of append.lua.
const (
	appended = iota
	repeated
	tooManyOfOwner
	tooManyChannels
)

// receiptOf parses the result of append.lua. If there are too many channels, candidates are
// those of which one may be displaced.
func receiptOf(post history.Post, said []rueidis.RedisMessage) (receipt history.Receipt, candidates []string, err error) {
	outcome, err := said[0].AsInt64()
	switch {
	case err != nil:
		return receipt, nil, err
	case outcome == tooManyOfOwner:
		return receipt, nil, history.ErrTooManyOfOwner
	case outcome == tooManyChannels:
		if len(said) > 1 {
			candidates, _ = said[1].AsStrSlice()
		}
		return receipt, candidates, history.ErrTooManyChannels
	}
	epoch, _ := said[1].ToString()
	id, at := numberOf(&said[2]), time.UnixMicro(int64(numberOf(&said[3]))).UTC()
	receipt.Cursor = history.Cursor{Epoch: epoch, ID: id, Check: history.CheckOf(at)}
	if outcome == repeated {
		receipt.Repeat, receipt.Message = true, history.Message{ID: id, Time: at}
		return receipt, nil, nil
	}
	receipt.Message = history.NewMessage(id, at, post.Channel, post.Object)
	left, err := said[4].ToArray()
	for i := 0; i+1 < len(left); i += 2 {
		channel, _ := left[i].ToString()
		receipt.Left = append(receipt.Left, history.Left{Channel: channel, ID: numberOf(&left[i+1])})
	}
	return receipt, nil, err
}

// numberOf parses a whole number in the result of a script. It returns 0 if there is none.
func numberOf(m *rueidis.RedisMessage) uint64 {
	text, _ := m.ToString()
	n, _ := strconv.ParseInt(text, 10, 64)
	return uint64(max(n, 0))
}

// Channels implements [history.Log].
func (l *Log) Channels(ctx context.Context) ([]string, error) {
	said, err := l.list(ctx, "ZRANGEBYSCORE")
	if err != nil {
		return nil, err
	}
	names, err := said.AsStrSlice()
	slices.Sort(names)
	return names, err
}

// Len implements [history.Log].
func (l *Log) Len(ctx context.Context) (int, error) {
	said, err := l.list(ctx, "ZCOUNT")
	if err != nil {
		return 0, err
	}
	n, err := said.AsInt64()
	return int(n), err
}

func (l *Log) list(ctx context.Context, command string) (rueidis.RedisMessage, error) {
	said, err := l.ask(ctx, listScript, []string{l.lists + "channels"}, []string{micros(l.options.Age), command})
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	return said[0], nil
}
