package hub_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const channel = "chat"

const timeout = 22 * time.Second

var errHungUp = errors.New("hung up")

// meddler is a log that lets something happen right after a reader found
// nothing in it: the worst moment there is for a follower.
type meddler struct {
	history.Log
	afterRead func()
}

func (m *meddler) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	page, err := m.Log.Read(ctx, q)
	if meddle := m.afterRead; q.Channel == channel && len(page.Messages) == 0 && meddle != nil {
		m.afterRead = nil
		meddle()
	}
	return page, err
}

// world is a hub, and what a perfect reader would know about it.
type world struct {
	options   history.Options
	bus       *bus.Bus
	memory    *memory.Log
	log       *meddler
	hub       *hub.Hub
	published map[string][]published // by epoch: message i+1
	logEpoch  string                 // of channels that nobody has posted to
}

type published struct {
	at time.Time
	by history.Owner
}

func newWorld(t require.TestingT, options history.Options) *world {
	w := &world{options: options, published: make(map[string][]published)}
	w.start(t)
	return w
}

func (w *world) start(t require.TestingT) {
	var err error
	w.bus, err = bus.New(bus.Options{Shards: 1})
	require.NoError(t, err)
	w.memory = memory.New(w.options)
	w.log = &meddler{Log: w.memory}
	w.hub = hub.New(w.bus, w.log)
	page, err := w.memory.Read(context.Background(), history.Query{Channel: "unused", Limit: 1})
	require.NoError(t, err)
	w.logEpoch = page.Cursor.Epoch
}

func (w *world) stop(t require.TestingT) {
	require.NoError(t, w.bus.Close())
	require.NoError(t, w.memory.Close())
}

var ann, bob = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

func (w *world) publish(t require.TestingT, n int) { w.publishBy(t, n, ann) }

func (w *world) publishBy(t require.TestingT, n int, by history.Owner) {
	for range n {
		receipt, err := w.hub.Publish(context.Background(), history.Post{Channel: channel, Object: []byte(`{"message":"hi"}`), By: by})
		require.NoError(t, err)
		cursor := receipt.Cursor
		w.published[cursor.Epoch] = append(w.published[cursor.Epoch], published{time.Now(), by})
		require.Equal(t, len(w.published[cursor.Epoch]), int(cursor.ID))
	}
}

// now is the cursor of a reader who begins.
func (w *world) now(t require.TestingT) history.Cursor {
	page, err := w.hub.Read(context.Background(), []hub.Place{{Channel: channel}}, 1)
	require.NoError(t, err)
	return page.Cursors[0]
}

// follow waits once, as a poll does; a timeout of 0 is none.
func (w *world) follow(t require.TestingT, ctx context.Context, since history.Since, limit int, timeout time.Duration) (*hub.Page, error) {
	f, err := w.hub.Follow([]hub.Place{{Channel: channel, Since: since}}, limit)
	require.NoError(t, err)
	defer f.Close()
	f.SetTimeout(timeout)
	return f.Next(ctx)
}

// gone tells whether a message may have left the log.
func (w *world) gone(epoch string, id uint64) bool {
	all := w.published[epoch]
	tooMany := w.options.Messages > 0 && len(all)-int(id) >= w.options.Messages
	tooOld := w.options.Age > 0 && time.Since(all[id-1].at) >= w.options.Age
	newer := 0 // of the same owner
	for _, m := range all[id:] {
		if m.by == all[id-1].by {
			newer++
		}
	}
	const each = 500 // bytes of a message, or less
	tooHeavy := w.options.BytesPerOwner > 0 && newer >= w.options.BytesPerOwner/each
	return tooMany || tooOld || tooHeavy
}

// check holds an answer against what a reader with this cursor has to get.
func (w *world) check(t require.TestingT, had history.Cursor, page *hub.Page, waited time.Duration) {
	cursor := page.Cursors[0]
	next, epoch := had.ID, cursor.Epoch
	switch {
	case had == history.Cursor{Epoch: w.logEpoch} && page.Gap == nil:
	case had.Epoch != epoch && had.Epoch != w.logEpoch:
		require.Equal(t, &history.Gap{Reason: history.Restarted}, page.Gap)
		next = cursor.ID - uint64(len(page.Messages))
		for id := uint64(1); id <= next; id++ {
			require.True(t, w.gone(epoch, id), "%d is still there and was not given", id)
		}
	case page.Gap != nil:
		require.Equal(t, history.Expired, page.Gap.Reason)
		require.NotZero(t, page.Gap.Missed)
		for range page.Gap.Missed {
			next++
			require.True(t, w.gone(epoch, next), "%d is still there and was told as missed", next)
		}
	}
	for _, m := range page.Messages {
		next++
		require.Equal(t, next, m.ID, "once and in order")
	}
	require.Equal(t, next, cursor.ID)
	if len(page.Messages) > 0 || page.Gap != nil {
		require.LessOrEqual(t, waited, hub.Gather, "what is published while a poll waits is answered at once")
	} else {
		require.Len(t, w.published[epoch], int(next), "nothing to tell means nothing is there")
	}
}

// Readers that keep their cursor get every message once and in order, or are
// told exactly what is gone, whatever happens: messages at any moment of a
// poll, hang-ups at any moment, lost answers, expiry, want of room, restart.
func TestReadersWithACursorMissNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noDeadline := struct{ rapid.TB }{t} // a bubble has none to ask for
		rapid.Check(noDeadline, func(r *rapid.T) {
			w := newWorld(r, history.Options{
				Messages:      rapid.IntRange(0, 4).Draw(r, "messages"),
				Age:           time.Duration(rapid.IntRange(0, 2).Draw(r, "age")) * time.Minute,
				BytesPerOwner: rapid.SampledFrom([]int{0, 1500}).Draw(r, "bytes"),
			})
			defer func() { w.stop(t) }()
			var readers [3]history.Cursor
			for i := range readers {
				readers[i] = w.now(r)
			}
			few := rapid.IntRange(0, 3)
			r.Repeat(map[string]func(*rapid.T){
				"publish": func(r *rapid.T) { w.publish(r, few.Draw(r, "n")) },
				"poll": func(r *rapid.T) {
					reader := &readers[rapid.IntRange(0, len(readers)-1).Draw(r, "reader")]
					w.poll(r, reader, pollCase{
						between:    few.Draw(r, "published between log and wait"),
						waiting:    few.Draw(r, "published while waiting"),
						hangUp:     rapid.SampledFrom([]string{"", "before", "between", "waiting"}).Draw(r, "hang up"),
						answerLost: rapid.Bool().Draw(r, "answer lost"),
						limit:      rapid.IntRange(1, 4).Draw(r, "limit"),
					})
				},
				"expire": func(r *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 90).Draw(r, "s")) * time.Second)
				},
				"another publishes": func(r *rapid.T) { w.publishBy(r, few.Draw(r, "n"), bob) },
				"restart": func(r *rapid.T) {
					w.stop(r)
					w.start(r)
				},
			})
		})
	})
}

type pollCase struct {
	between, waiting int
	hangUp           string
	answerLost       bool
	limit            int
}

func (w *world) poll(t require.TestingT, reader *history.Cursor, c pollCase) {
	ctx, hangUp := context.WithCancelCause(context.Background())
	defer hangUp(nil)
	if c.hangUp == "before" {
		hangUp(errHungUp)
	}
	w.log.afterRead = func() {
		w.publish(t, c.between)
		if c.hangUp == "between" {
			hangUp(errHungUp)
		}
	}
	began := time.Now()
	var ended time.Time
	var page *hub.Page
	var err error
	var done atomic.Bool
	go func() {
		page, err = w.follow(t, ctx, history.After(*reader), c.limit, timeout)
		ended = time.Now()
		done.Store(true)
	}()
	synctest.Wait()
	if !done.Load() && w.hub.Waiting() == 0 {
		time.Sleep(hub.Gather) // it gathers
		synctest.Wait()
	}
	if !done.Load() {
		if c.hangUp == "waiting" {
			hangUp(errHungUp)
		}
		w.publish(t, c.waiting)
		synctest.Wait()
	}
	if !done.Load() {
		time.Sleep(timeout)
		synctest.Wait()
	}
	w.log.afterRead = nil
	require.True(t, done.Load(), "a follower ends with its context")
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			require.ErrorIs(t, err, cause)
		} else {
			require.ErrorIs(t, err, hub.ErrTimeout)
		}
		require.Empty(t, page.Messages)
	}
	w.check(t, *reader, page, elapsed(began, ended, err))
	if !c.answerLost {
		*reader = page.Cursors[0]
	}
}

// elapsed is how long an answer took, 0 for one that a context's end brought.
func elapsed(began, ended time.Time, err error) time.Duration {
	if err != nil {
		return 0
	}
	return ended.Sub(began)
}

// A message that comes right after a follower found the log empty must wake it.
func TestNoMessageFallsBetweenLogAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, history.Options{})
		defer w.stop(t)
		for range 50 {
			cursor := w.now(t)
			w.poll(t, &cursor, pollCase{between: 1, limit: 9})
		}
	})
}

// A follower that is rung for what it does not find waits no longer for that, and
// ends with the bus.
func TestFollowerInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, history.Options{})
		defer w.stop(t)
		w.log.afterRead = func() {
			for id := range uint64(20) { // none of which is in the log
				require.NoError(t, w.bus.Publish(channel, id))
			}
			time.Sleep(timeout / 2)
		}
		began := time.Now()
		_, err := w.follow(t, t.Context(), history.Now(), 1, timeout)
		require.ErrorIs(t, err, hub.ErrTimeout)
		require.Equal(t, timeout, time.Since(began))

		w.log.afterRead = func() { require.NoError(t, w.bus.Close()) }
		_, err = w.follow(t, t.Context(), history.Now(), 1, timeout)
		require.ErrorIs(t, err, hub.ErrClosed)
	})
}

// A ring and a timer can leave one token between them.
func TestTimeoutIsSeenBesideALateRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, history.Options{})
		defer w.stop(t)
		ctx, hangUp := context.WithTimeoutCause(t.Context(), time.Hour, errHungUp)
		defer hangUp()
		follow := func() error {
			_, err := w.follow(t, ctx, history.Now(), 1, timeout)
			return err
		}
		ringAndSleep := func(d time.Duration) func() {
			return func() { // nobody reads the SUB meanwhile
				require.NoError(t, w.bus.Publish(channel, 1)) // and it is not in the log
				time.Sleep(d)
			}
		}
		w.log.afterRead = ringAndSleep(timeout + time.Second)
		require.ErrorIs(t, follow(), hub.ErrTimeout)

		w.log.afterRead = func() { // leaves the SUB a timer that is to ring in a second
			time.Sleep(timeout - time.Second)
			w.publish(t, 1)
		}
		require.NoError(t, follow())
		w.log.afterRead = ringAndSleep(2 * time.Second)
		require.ErrorIs(t, follow(), hub.ErrTimeout)
	})
}

func TestPublishersOfAChannelAreInOneOrder(t *testing.T) {
	w := newWorld(t, history.Options{})
	defer w.stop(t)
	start := w.now(t)
	const publishers, each, followers = 8, 250, 8
	var all sync.WaitGroup
	for range publishers {
		all.Go(func() {
			for range each {
				_, err := w.hub.Publish(t.Context(), history.Post{Channel: channel, Object: []byte(`{}`)})
				require.NoError(t, err)
			}
		})
	}
	for range followers {
		all.Go(func() {
			cursor := start
			for cursor.ID < publishers*each {
				page, err := w.follow(t, t.Context(), history.After(cursor), 3, 0)
				require.NoError(t, err)
				for i, m := range page.Messages {
					require.Equal(t, cursor.ID+uint64(i)+1, m.ID)
				}
				cursor = page.Cursors[0]
			}
		})
	}
	all.Wait()
}

// In a flood an answer carries several messages, at the price of a few
// milliseconds; who waits on a calm channel gets each message at once.
func TestFollowerGathersUnderFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, history.Options{})
		defer w.stop(t)
		start := w.now(t)
		follow := func(since history.Cursor, limit int) (messages int, waited time.Duration) {
			began := time.Now()
			page, err := w.follow(t, t.Context(), history.After(since), limit, 0)
			require.NoError(t, err)
			return len(page.Messages), time.Since(began)
		}
		go func() { // one a millisecond
			for range 100 {
				time.Sleep(time.Millisecond)
				w.publish(t, 1)
			}
		}()
		messages, waited := follow(start, 99)
		require.Equal(t, 1, messages)
		require.Equal(t, time.Millisecond, waited, "the first comes to one who waited")
		time.Sleep(time.Millisecond + time.Microsecond) // the way back
		messages, waited = follow(start, 99)
		require.Greater(t, messages, 3)
		require.Less(t, waited, hub.Gather)
		_, waited = follow(start, 1)
		require.Zero(t, waited, "more than one is not wanted")
		time.Sleep(10*time.Millisecond + time.Microsecond)
		now := w.now(t)
		messages, waited = follow(now, 99)
		require.Greater(t, messages, 3, "also who has waited is given more")
		require.LessOrEqual(t, waited, hub.Gather+time.Millisecond)
		time.Sleep(time.Second)
		messages, waited = follow(start, 999)
		require.Equal(t, 100, messages)
		require.Zero(t, waited, "the flood is over")
	})
}

// A few messages at once are no flood: each is there at once.
func TestFollowersOfACalmChannelNeverWaitLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, history.Options{})
		defer w.stop(t)
		at := w.now(t)
		cursor := at
		for _, after := range []time.Duration{time.Second, time.Millisecond, time.Millisecond, 100 * time.Millisecond, 30 * time.Millisecond, 30 * time.Millisecond} {
			began := time.Now()
			time.AfterFunc(after, func() { w.publish(t, 1) })
			page, err := w.follow(t, t.Context(), history.After(cursor), 99, 0)
			require.NoError(t, err)
			require.Equal(t, after, time.Since(began))
			cursor = page.Cursors[0]
		}
	})
}
