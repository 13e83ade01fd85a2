package crowd

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
)

// A crowd goes on for a while when its last reader has left, so that one who comes back
// finds it; then it ends.
func TestCrowdThatLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, kind := newWorld(t), kind(true)
		defer w.stop(t)
		kind.Linger = time.Second
		c := w.enter(t, kind)
		c.Leave()
		for range 3 {
			time.Sleep(kind.Linger - time.Millisecond)
			require.Same(t, c, w.crowds.Find([]string{room}, kind))
			time.Sleep(2 * kind.Linger) // it has a reader
			require.Same(t, c, w.enter(t, kind))
			c.Leave()
			c.Leave()
		}
		time.Sleep(kind.Linger)
		synctest.Wait()
		require.Nil(t, w.crowds.Find([]string{room}, kind))
		require.Equal(t, Ended, c.Join(newToy(false), w.now(t)))
	})
}

// Only so many channels linger: whoever comes later ends with its last reader.
func TestFewCrowdsLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, kind := newWorld(t), kind(true)
		defer w.stop(t)
		kind.Linger = time.Second
		visit := func(list int) *Crowd {
			channels := make([]string, 64)
			for i := range channels {
				channels[i] = fmt.Sprintf("%d-%d", list, i)
			}
			c, err := w.crowds.Enter(channels, kind)
			require.NoError(t, err)
			c.Leave()
			return c
		}
		for range 2 {
			var all []*Crowd
			for list := range 2 * maxLingering / 64 {
				all = append(all, visit(list))
			}
			require.Len(t, w.crowds.byKey, maxLingering/64)
			require.Same(t, all[0], visit(0), "it can come back")
			require.NotSame(t, all[len(all)-1], visit(len(all)-1))
			time.Sleep(2 * kind.Linger)
			synctest.Wait()
			require.Empty(t, w.crowds.byKey)
			require.Zero(t, w.crowds.lingering)
		}
	})
}

// A crowd that does not linger ends with its last reader.
func TestCrowdThatDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, kind := newWorld(t), kind(false)
		defer w.stop(t)
		c := w.enter(t, kind)
		require.Same(t, c, w.enter(t, kind))
		c.Leave()
		require.Same(t, c, w.crowds.Find([]string{room}, kind))
		c.Leave()
		c.Leave()
		require.Nil(t, w.crowds.Find([]string{room}, kind))
	})
}

// troubled is a log that counts how often it is read, and may be damaged.
type troubled struct {
	history.Log
	reads   atomic.Int64
	damaged atomic.Bool
}

func (l *troubled) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	if l.damaged.Load() {
		panic("damaged")
	}
	l.reads.Add(1)
	return l.Log.Read(ctx, q)
}

// trouble has the crowds read a log that may be troubled.
func (w *world) trouble() *troubled {
	log := &troubled{Log: w.log}
	w.crowds.hub = hub.New(w.bus, log)
	return log
}

// A crowd that does not tick hardly wakes up before something happens, and then gives that.
func TestCrowdThatIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, kind := newWorld(t), kind(true)
		defer w.stop(t)
		log := w.trouble()
		c := w.enter(t, kind)
		defer c.Leave()
		r := newToy(false)
		require.Equal(t, Joined, c.Join(r, w.now(t)))
		synctest.Wait()
		before := log.reads.Load()
		time.Sleep(time.Hour)
		require.LessOrEqual(t, log.reads.Load()-before, 2*int64(time.Hour/lookEvery))
		w.publish(t)
		require.Equal(t, "given up to "+text(w.now(t)), <-r.told)
	})
}

// Who waits for days where nobody posts reads on there: the log does not forget the channel,
// and the first message is told without a gap. Whoever comes meanwhile has the log's new place.
func TestCrowdThatIsSilentForDays(t *testing.T) {
	for _, posted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, kind := newWorld(t), kind(true)
			require.NoError(t, w.log.Close())
			w.log = memory.New(history.Options{Age: time.Minute})
			w.hub = hub.New(w.bus, w.log)
			w.crowds.hub = w.hub
			defer w.stop(t)
			if posted {
				w.publish(t)
			}
			kind.Encode = func(page *hub.Page) []byte { require.Nil(t, page.Gap); return nil }
			c := w.enter(t, kind)
			defer c.Leave()
			r := newToy(false)
			require.Equal(t, Joined, c.Join(r, w.now(t)))
			time.Sleep(72*time.Hour + lookEvery/2)
			other, at := newToy(false), w.now(t)
			c.Look()
			synctest.Wait()
			require.Equal(t, Joined, c.Join(other, at))
			w.publish(t)
			require.Equal(t, "given up to "+text(w.now(t)), <-r.told)
			require.Equal(t, "given up to "+text(w.now(t)), <-other.told)
		})
	}
}

// A ring that is lost costs less than a minute.
func TestRingThatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, kind := newWorld(t), kind(true)
		defer w.stop(t)
		c := w.enter(t, kind)
		defer c.Leave()
		r := newToy(false)
		require.Equal(t, Joined, c.Join(r, w.now(t)))
		synctest.Wait()
		_, err := w.log.Append(t.Context(), history.Post{Channel: room, Object: []byte(`{}`)}) // does not ring
		require.NoError(t, err)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.NotEmpty(t, r.told)
		require.Equal(t, "given up to "+text(w.now(t)), <-r.told)
	})
}

// A crowd reads the log when it is told to.
func TestCrowdThatIsToLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, kind := newWorld(t), kind(true)
		defer w.stop(t)
		log := w.trouble()
		c := w.enter(t, kind)
		defer c.Leave()
		r := newToy(false)
		require.Equal(t, Joined, c.Join(r, w.now(t)))
		synctest.Wait()
		_, err := w.log.Append(t.Context(), history.Post{Channel: room, Object: []byte(`{}`)}) // does not ring
		require.NoError(t, err)
		for range 2 {
			before := log.reads.Load()
			c.Look()
			synctest.Wait()
			require.Equal(t, int64(2), log.reads.Load()-before, "and goes on to wait")
		}
		require.Equal(t, "given up to "+text(w.now(t)), <-r.told)
	})
}

// A kind that ticks does so also where news come, and tells whether there were any.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, kind := newWorld(t), kind(false)
		defer w.stop(t)
		kind.Tick = time.Minute
		c := w.enter(t, kind)
		defer c.Leave()
		synctest.Wait()
		r, at := newToy(true), w.now(t)
		require.Equal(t, Joined, c.Join(r, at))
		for range 2 {
			time.Sleep(kind.Tick)
			require.Equal(t, "ticked at "+text(at)+" true", <-r.told)
			require.Empty(t, r.told)
		}
		w.publish(t)
		at = w.now(t)
		require.Equal(t, "given up to "+text(at), <-r.told)
		require.Equal(t, "ticked at "+text(at)+" false", <-r.told)
		require.Equal(t, "ticked at "+text(at)+" true", <-r.told)
	})
}

// While a crowd is being opened those who enter it wait, others do not, and nobody finds it.
func TestCrowdThatIsBeingOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, kind := newWorld(t), kind(true)
		defer w.stop(t)
		slow, made := w.crowds.get(key{room, kind})
		require.True(t, made)
		var entered *Crowd
		go func() { entered = w.enter(t, kind) }()
		synctest.Wait()
		require.Nil(t, entered)
		require.Nil(t, w.crowds.Find([]string{room}, kind))
		other, err := w.crowds.Enter([]string{"other", room}, kind)
		require.NoError(t, err)
		other.Leave()
		slow.open()
		synctest.Wait()
		require.Same(t, slow, entered)
		entered.Leave()
		slow.Leave()
	})
}

// Of a crowd that cannot be opened nothing stays, and who comes next tries anew.
func TestCrowdThatCannotBeOpened(t *testing.T) {
	w, kind := newWorld(t), kind(true)
	kind.Linger = time.Hour
	w.stop(t)
	for range 2 {
		_, err := w.crowds.Enter([]string{room}, kind)
		require.ErrorIs(t, err, hub.ErrClosed)
		require.Empty(t, w.crowds.byKey)
	}
	broken := &Crowds{byKey: make(map[key]*Crowd)} // opening panics without a hub
	waits, _ := broken.get(key{room, kind})
	require.Panics(t, waits.open)
	<-waits.opened
	require.ErrorIs(t, waits.err, errNotOpened)
	require.Empty(t, broken.byKey)
}

// What a reader panics with ends that reader, and the others have their page.
func TestReaderThatPanics(t *testing.T) {
	for _, once := range []bool{true, false} {
		w, c, page := still(t, kind(once))
		bad, good := newToy(!once), newToy(!once)
		bad.during = func() { panic("oh") }
		require.Equal(t, Joined, c.Join(good, page.Starts))
		require.Equal(t, Joined, c.Join(bad, page.Starts))
		c.deliver(page)
		require.Equal(t, "oh", <-w.panics)
		require.Equal(t, "ended at "+text(page.Starts), <-bad.told)
		require.False(t, bad.Seated())
		require.Equal(t, "given up to "+text(page.Cursors), <-good.told)
	}
}

// A log that panics ends the crowd, its readers are told so, and the next ones get another.
func TestLogThatPanics(t *testing.T) {
	w, kind := newWorld(t), kind(true)
	defer w.stop(t)
	log := w.trouble()
	c := w.enter(t, kind)
	defer c.Leave()
	r, at := newToy(false), w.now(t)
	require.Equal(t, Joined, c.Join(r, at))
	log.damaged.Store(true)
	w.publish(t)
	require.Equal(t, "damaged", <-w.panics)
	require.Equal(t, "ended at "+text(at), <-r.told)
	log.damaged.Store(false)
	other := w.enter(t, kind)
	defer other.Leave()
	require.NotSame(t, c, other)
}
