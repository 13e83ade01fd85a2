package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"pubsub/server/history"
)

// Listener is told what happens in Redis. Its methods may be called by several goroutines at
// the same time, and must not wait.
type Listener interface {
	// Heard tells that a channel has this message, from any instance.
	Heard(channel string, at history.Cursor)
	// Left tells that a message has left its channel to make room.
	Left(what history.Left)
	// Doubt tells that rings may have been missed, so what is cached of channels may be old.
	Doubt()
	// Away tells why Redis is not heard of; nil when it is back.
	Away(reason error)
}

// Timing of the bell's connection.
const (
	beatEvery   = 5 * time.Second        // between the beats of an instance
	silentAfter = 15 * time.Second       // without a beat the connection is replaced
	againAfter  = 500 * time.Millisecond // between two tries to connect
)

// errSilent: the connection of the bell is open and delivers nothing.
var errSilent = fmt.Errorf("nothing was heard for %v", silentAfter)

// Listen calls to for all that rings, until ctx ends. A connection that breaks or goes silent
// is replaced, because after a failover it may stay open and deliver nothing.
func (l *Log) Listen(ctx context.Context, to Listener) {
	beats := l.newBeats(to)
	go beats.run(ctx)
	for ctx.Err() == nil {
		err := l.listenOnce(ctx, to, beats)
		if ctx.Err() != nil {
			break
		}
		to.Away(errors.Join(err, beats.failed()))
		select {
		case <-time.After(againAfter):
		case <-ctx.Done():
		}
	}
	<-beats.ended
}

// listenOnce listens with one client, until its connection is of no use any more.
func (l *Log) listenOnce(ctx context.Context, to Listener, b *beats) error {
	client, err := rueidis.NewClient(l.target.option())
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	heard := &subscriber{to: to, beats: b, silence: time.AfterFunc(silentAfter, func() { stop(errSilent) })}
	defer heard.silence.Stop()
	err = client.Receive(rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) {
		to.Doubt() // rings before this may have been missed
		b.now()
	}), client.B().Subscribe().Channel(l.bell()).Build(), heard.hear)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// subscriber handles the messages of one connection.
type subscriber struct {
	to      Listener
	beats   *beats // of this process
	silence *time.Timer
	who     string // the run id and the replication id of the server heard last
}

func (e *subscriber) hear(m rueidis.PubSubMessage) {
	channel, rest, _ := strings.Cut(m.Message, " ")
	switch channel {
	case "/":
		e.beat(rest)
		return
	case "-":
		e.left(rest)
		return
	}
	epoch, rest, _ := strings.Cut(rest, " ")
	digits, at, _ := strings.Cut(rest, " ")
	id, err := strconv.ParseUint(digits, 10, 64)
	us, err2 := strconv.ParseUint(at, 10, 64)
	if err == nil && err2 == nil {
		e.to.Heard(channel, history.Cursor{Epoch: epoch, ID: id, Check: checkAt(us)})
	}
}

func (e *subscriber) left(what string) {
	channel, digits, _ := strings.Cut(what, " ")
	if id, err := strconv.ParseUint(digits, 10, 64); err == nil {
		e.to.Left(history.Left{Channel: channel, ID: id})
	}
}

func (e *subscriber) beat(who string) {
	e.silence.Reset(silentAfter)
	if e.who != who && e.who != "" { // another server, or the same one with another history
		e.to.Doubt()
	}
	e.who = who
	if e.beats.failed() == nil { // otherwise others can write, and this process cannot
		e.to.Away(nil)
	}
}

// beats rings the bell now and then, so that silence means a broken connection.
type beats struct {
	log   *Log
	to    Listener
	soon  chan struct{} // asks for a beat at once
	ended chan struct{}
	err   atomic.Pointer[error] // of the last beat
}

func (l *Log) newBeats(to Listener) *beats {
	return &beats{log: l, to: to, soon: make(chan struct{}, 1), ended: make(chan struct{})}
}

func (b *beats) run(ctx context.Context) {
	defer close(b.ended)
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-b.soon:
		case <-ctx.Done():
			return
		}
		b.beat(ctx)
	}
}

// beat rings once. If it fails, posts fail, too.
func (b *beats) beat(ctx context.Context) {
	before := b.failed()
	err := b.log.beat(ctx)
	b.err.Store(&err)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		b.to.Away(err)
	case before != nil:
		b.now() // that beat tells that Redis is back; this one may have been heard too early
	}
}

// now asks for a beat at once. It does not wait.
func (b *beats) now() {
	select {
	case b.soon <- struct{}{}:
	default:
	}
}

// failed returns why the last beat failed, nil if it did not.
func (b *beats) failed() error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

// renewAfter is when the log's own epoch is renewed: twice in the time for which a channel is
// remembered.
const renewAfter = metaStays / 2

// beat rings the bell, and learns how much memory Redis may take.
func (l *Log) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	said, err := beatScript.Exec(ctx, l.client, []string{l.names.epochs()}, []string{l.bell(), history.NewEpoch(), micros(renewAfter)}).ToArray()
	l.heed(err)
	if err == nil {
		l.most.Store(int64(numberOf(&said[1])))
	}
	return err
}
