package crowd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a hub with a channel, and its crowds.
type world struct {
	bus    *bus.Bus
	log    *memory.Log
	hub    *hub.Hub
	crowds *Crowds
	panics chan any
}

const room = "room"

func newWorld(t *testing.T) *world {
	b, err := bus.New(bus.Options{Shards: 1})
	require.NoError(t, err)
	w := &world{bus: b, log: memory.New(history.Options{}), panics: make(chan any, 10)}
	w.hub = hub.New(b, w.log)
	w.crowds = New(w.hub, func(cause any, _ []string) { w.panics <- cause })
	w.publish(t) // so that the channel has its epoch
	return w
}

func (w *world) stop(t *testing.T) {
	require.NoError(t, w.bus.Close())
	require.NoError(t, w.log.Close())
	require.Empty(t, w.panics)
}

func (w *world) publish(t *testing.T) {
	_, err := w.hub.Publish(context.Background(), history.Post{Channel: room, Object: []byte(`{"message":"hi"}`)})
	require.NoError(t, err)
}

// read returns what comes after some places, nil for now.
func (w *world) read(t *testing.T, at []history.Cursor) *hub.Page {
	places := followed([]string{room})
	if at != nil {
		places[0].Since = history.After(at[0])
	}
	page, err := w.hub.Peek(context.Background(), places, 256, hub.PageBytes)
	require.NoError(t, err)
	return page
}

func (w *world) now(t *testing.T) []history.Cursor { return w.read(t, nil).Cursors }

// enter enters the crowd of the channel.
func (w *world) enter(t *testing.T, kind *Kind) *Crowd {
	c, err := w.crowds.Enter([]string{room}, kind)
	require.NoError(t, err)
	return c
}

// kind is one whose readers leave with their page, or stay.
func kind(once bool) *Kind {
	return &Kind{
		Limit: 256, Bytes: hub.PageBytes, Once: once,
		Encode: func(page *hub.Page) []byte { return page.AppendMessages(nil) },
		Count:  func(*hub.Page, int) {},
	}
}

// toy is a reader. It writes down what it is told.
type toy struct {
	Seat
	told   chan string
	during func() // is called within Give; may be nil
	stays  bool   // of a kind whose readers stay
}

func newToy(stays bool) *toy { return &toy{told: make(chan string, 100), stays: stays} }

func text(at []history.Cursor) string { return string(hub.AppendCursors(nil, at)) }

func (r *toy) Give(news *News) (leave func()) {
	if r.during != nil {
		r.during()
	}
	r.told <- fmt.Sprint("given up to ", text(news.To))
	if r.stays {
		return nil
	}
	return func() { r.told <- "left" }
}

func (r *toy) Lag(at []history.Cursor) { r.told <- "lags at " + text(at) }
func (r *toy) End(at []history.Cursor) { r.told <- "ended at " + text(at) }

func (r *toy) Tick(_ time.Time, at []history.Cursor, quiet bool) func() {
	r.told <- fmt.Sprint("ticked at ", text(at), " ", quiet)
	return nil
}

// still is a crowd that nobody serves, and a page that it is to deliver.
func still(t *testing.T, kind *Kind) (*world, *Crowd, *hub.Page) {
	w := newWorld(t)
	c, _ := w.crowds.get(key{room, kind})
	var err error
	c.follower, err = w.hub.Follow(followed(c.channels), kind.Limit)
	require.NoError(t, err)
	_, err = c.follower.Read(t.Context())
	require.ErrorIs(t, err, hub.ErrNothing, "it begins here")
	w.publish(t)
	page, err := c.follower.Read(t.Context())
	require.NoError(t, err)
	c.at = page.Starts
	t.Cleanup(func() {
		c.follower.Close()
		w.stop(t)
	})
	return w, c, page
}

// keen is a reader that wants each message up to the last. next is its own while it is out,
// and the crowd's otherwise: the race detector looks after that.
type keen struct {
	Seat
	t          *testing.T
	once       bool
	next, last uint64
	has        func(id uint64)
	joined     sync.Once
	waits      func()                // is called when it has joined
	out        chan []history.Cursor // where it was when it came out
}

func (r *keen) take(page *hub.Page) {
	for i := range page.Messages {
		id := page.Messages[i].ID
		if id != r.next {
			r.t.Errorf("message %d came in place of %d", id, r.next)
		}
		r.next++
		r.has(id)
	}
}

func (r *keen) Give(news *News) (leave func()) {
	r.take(news.Page)
	if r.once || r.next > r.last {
		leave = func() { r.out <- news.To }
	}
	return leave
}

func (r *keen) Lag(at []history.Cursor) { r.out <- at }
func (r *keen) End([]history.Cursor)    { r.t.Error("there is no end") }

// read reads everything that comes after some places, as polls do.
func (r *keen) read(w *world, kind *Kind, at []history.Cursor) {
	for r.next <= r.last {
		c := w.crowds.Find([]string{room}, kind)
		if c == nil {
			c = w.enter(r.t, kind)
		}
		outcome := c.JoinUnread(r, at)
		if outcome == Behind {
			page := w.read(r.t, at)
			r.take(page)
			at = page.Cursors
			if r.next <= r.last {
				outcome = c.Join(r, at)
			}
		}
		if outcome == Joined {
			r.joined.Do(r.waits)
			at = <-r.out
		}
		c.Leave()
	}
}

// A thousand readers join while pages are delivered, leave with them or are taken out, and
// come back. Each has every message once and in order.
func TestReadersThatComeAndGo(t *testing.T) {
	for _, once := range []bool{true, false} {
		w, kind := newWorld(t), kind(once)
		var given atomic.Int64
		kind.Linger, kind.Count = time.Second, func(_ *hub.Page, n int) { given.Add(int64(n)) }
		const many, messages = 1000, 20
		begin := w.now(t)
		last := begin[0].ID + messages
		had := make(chan uint64, messages)
		var all, joined sync.WaitGroup
		readers := make([]*keen, many)
		joined.Add(many)
		for i := range readers {
			readers[i] = &keen{
				t: t, once: once, next: begin[0].ID + 1, last: last, has: func(uint64) {},
				waits: joined.Done, out: make(chan []history.Cursor, 1),
			}
		}
		readers[0].has = func(id uint64) { had <- id }
		for _, r := range readers {
			all.Go(func() { r.read(w, kind, begin) })
		}
		joined.Wait()
		for range messages {
			w.publish(t)
			takeOut(readers)
			<-had // so that there are many pages
		}
		all.Wait()
		for _, r := range readers {
			require.Equal(t, last+1, r.next)
			require.False(t, r.Seated())
		}
		require.Positive(t, given.Load())
		w.stop(t)
	}
}

// takeOut takes some readers out, as timeouts of polls do.
func takeOut(readers []*keen) {
	for range len(readers) / 10 {
		r := readers[rand.IntN(len(readers))]
		if at, was := r.Drop(); was {
			r.out <- at
		}
	}
}

// A shard that is made while others are given a page is of those who have it.
func TestShardThatIsMadeMeanwhile(t *testing.T) {
	_, c, page := still(t, kind(false))
	r, late := newToy(true), newToy(true)
	require.Equal(t, Joined, c.Join(r, page.Starts))
	c.shards[0].size.Store(shardSize) // it is full
	var outcome Outcome
	r.during = func() { outcome = c.JoinUnread(late, page.Cursors) }
	c.deliver(page)
	require.Equal(t, Joined, outcome)
	require.Len(t, c.shards, 2)
	require.Equal(t, "given up to "+text(page.Cursors), <-r.told)
	require.Empty(t, late.told)
	at, seated := late.Place()
	require.True(t, seated)
	require.Equal(t, page.Cursors, at)
}

// Readers that leave with their page are given it with no lock held, so that they can come
// back at once, also to others that do not have it yet. They are not given it twice.
func TestReaderThatComesBackWhileOthersAreGivenAPage(t *testing.T) {
	_, c, page := still(t, kind(true))
	r, other := newToy(true), newToy(true)
	require.Equal(t, Joined, c.Join(r, page.Starts))
	c.shards[0].size.Store(shardSize) // it is full
	require.Equal(t, Joined, c.Join(other, page.Starts))
	var outcome Outcome
	r.during = func() { outcome = c.JoinUnread(r, page.Cursors) }
	c.deliver(page)
	require.Equal(t, Joined, outcome)
	for _, r := range []*toy{r, other} {
		require.Equal(t, "given up to "+text(page.Cursors), <-r.told)
		require.Empty(t, r.told)
	}
	require.True(t, r.Seated())
	require.False(t, other.Seated())
}

// A reader that has part of a page is given the rest, one that has all of it nothing, and
// one that the page cannot help is sent to the log.
func TestReadersThatAreAhead(t *testing.T) {
	for _, once := range []bool{true, false} {
		w, c, page := still(t, kind(once))
		start := page.Starts
		middle := slices.Clone(page.Cursors)
		w.publish(t)
		page = w.read(t, start)
		require.Len(t, page.Messages, 2)
		part, all, wrong := newToy(true), newToy(true), newToy(true)
		require.Equal(t, Joined, c.Join(part, middle))
		require.Equal(t, Joined, c.Join(all, page.Cursors))
		require.Equal(t, Joined, c.Join(wrong, middle))
		last := &c.shards[0].ahead[2]
		last.at[0].Check++ // another message has that id now
		at, _ := wrong.Place()
		c.deliver(page)
		require.Equal(t, "given up to "+text(page.Cursors), <-part.told)
		require.Equal(t, !once, part.Seated())
		require.Equal(t, "lags at "+text(at), <-wrong.told)
		require.False(t, wrong.Seated())
		require.Empty(t, all.told)
		require.True(t, all.Seated())
		require.Empty(t, c.shards[0].ahead)
	}
}

// The rest of a page with a gap cannot be told, but who has read all of it needs none.
func TestReadersThatAreAheadOfAGap(t *testing.T) {
	w, c, page := still(t, kind(false))
	part, all := newToy(true), newToy(true)
	middle := page.Cursors
	w.publish(t)
	page = w.read(t, page.Starts)
	page.Gap = new(history.Gap)
	require.Equal(t, Joined, c.Join(part, middle))
	require.Equal(t, Joined, c.Join(all, page.Cursors))
	c.deliver(page)
	require.Equal(t, "lags at "+text(middle), <-part.told)
	require.False(t, part.Seated())
	require.Empty(t, all.told)
	require.True(t, all.Seated())
}

// Who has not read the log joins only where the crowd is exactly.
func TestJoinUnread(t *testing.T) {
	_, c, page := still(t, kind(true))
	r := newToy(false)
	for name, change := range map[string]func(*history.Cursor){
		"further":         func(at *history.Cursor) { at.ID++ },
		"less far":        func(at *history.Cursor) { at.ID-- },
		"another log":     func(at *history.Cursor) { at.Epoch = "other" },
		"another message": func(at *history.Cursor) { at.Check++ },
	} {
		at := slices.Clone(page.Starts)
		change(&at[0])
		require.Equal(t, Behind, c.JoinUnread(r, at), name)
		require.False(t, r.Seated())
	}
	c.at = nil // it has not read yet
	c.shards = nil
	require.Equal(t, Behind, c.JoinUnread(r, page.Starts))
	require.Equal(t, Joined, c.Join(r, page.Starts))
	c.deliver(page)
	require.Equal(t, "given up to "+text(page.Cursors), <-r.told)
}

// A page without news moves the place and nobody.
func TestPageWithoutNews(t *testing.T) {
	_, c, page := still(t, kind(true))
	r := newToy(false)
	require.Equal(t, Joined, c.Join(r, page.Starts))
	page.Messages = nil
	c.deliver(page)
	at, seated := r.Place()
	require.True(t, seated)
	require.Equal(t, page.Cursors, at)
	require.Empty(t, r.told)
	at, was := r.Drop()
	require.True(t, was)
	require.Equal(t, page.Cursors, at)
	_, was = r.Drop()
	require.False(t, was)
	require.False(t, r.Do(func([]history.Cursor) func() { t.Error("it is out"); return nil }))
}

// Where nothing is published readers that come and go again and again fill the shards that
// there are.
func TestShardsThatBecomeEmptier(t *testing.T) {
	_, c, page := still(t, kind(true))
	readers := make([]*toy, 4*shardSize)
	for i := range readers {
		readers[i] = new(toy)
		require.Equal(t, Joined, c.Join(readers[i], page.Starts))
	}
	for range 20 * len(readers) {
		r := readers[rand.IntN(len(readers))]
		_, was := r.Drop()
		require.True(t, was)
		require.Equal(t, Joined, c.Join(r, page.Starts))
	}
	require.LessOrEqual(t, len(c.shards), 2*len(readers)/shardSize+1)
	for _, r := range readers {
		r.Drop()
	}
	require.Empty(t, c.inUse())
}

// A drain gives readers all that there is, also if that is several pages, and then tells them
// the end with their place.
func TestLastLookOfADrain(t *testing.T) {
	w, c, page := still(t, kind(false))
	c.deliver(page)
	r := newToy(true)
	require.Equal(t, Joined, c.Join(r, page.Cursors))
	for range 2*c.kind().Limit + 1 {
		w.publish(t)
	}
	w.crowds.Drain()
	c.run()
	close(r.told)
	var told []string
	for text := range r.told {
		told = append(told, text)
	}
	require.Len(t, told, 3+1, "three pages")
	require.Equal(t, "ended at "+strings.TrimPrefix(told[2], "given up to "), told[3])
	require.Equal(t, Ended, c.Join(r, page.Cursors), "nobody can join any more")
	require.Nil(t, w.crowds.Find([]string{room}, c.kind()))
	c, late, at := w.enter(t, c.kind()), newToy(true), w.now(t)
	defer c.Leave()
	if c.Join(late, at) == Joined { // it had not ended yet
		require.Equal(t, "ended at "+text(at), <-late.told)
	}
}
