package tail_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/history/tail"
	"pubsub/server/hub"
)

// shared is a log that several instances append to, with a bell that they hear late, in
// another order, and sometimes twice.
type shared struct {
	*memory.Log
	reads atomic.Int64
	away  atomic.Bool
	bells sync.WaitGroup

	mu        sync.Mutex // guards the next one
	instances []*tail.Log
}

func newShared(t *testing.T, options history.Options) *shared {
	s := &shared{Log: memory.New(options)}
	t.Cleanup(func() {
		s.bells.Wait()
		require.NoError(t, s.Close())
	})
	return s
}

// instance returns a hub of another instance.
func (s *shared) instance(t *testing.T) *hub.Hub {
	b, err := bus.New(bus.Options{Shards: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	l := tail.New(s, tail.Options{Shared: true, Ring: func(channel string, id uint64) { _ = b.Publish(channel, id) }})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instances = append(s.instances, l)
	return hub.New(b, l)
}

func (s *shared) Append(ctx context.Context, post history.Post) (history.Receipt, error) {
	if s.away.Load() {
		return history.Receipt{}, history.ErrAway
	}
	receipt, err := s.Log.Append(ctx, post)
	if err == nil {
		s.ring(post.Channel, receipt.Cursor)
	}
	return receipt, err
}

func (s *shared) ring(channel string, at history.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.instances {
		for range 1 + rand.IntN(2) {
			s.bells.Add(1)
			time.AfterFunc(time.Duration(rand.IntN(2000))*time.Microsecond, func() {
				defer s.bells.Done()
				l.Heard(channel, at)
			})
		}
	}
}

func (s *shared) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	s.reads.Add(1)
	if s.away.Load() {
		return nil, history.ErrAway
	}
	time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond) // a round trip
	return s.Log.Read(ctx, q)
}

// Readers at several instances that keep their cursor get every message once and in
// order, and in time. Messages come in bursts, and after each all readers wait: so a ring
// that is missed is not made good by the next one.
func TestReadersAtSeveralInstancesMissNothing(t *testing.T) {
	s := newShared(t, history.Options{})
	hubs := []*hub.Hub{s.instance(t), s.instance(t), s.instance(t)}
	const bursts, readers = 150, 4
	var said uint64
	got := make(chan uint64, 1000)
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for _, h := range hubs {
		for range readers {
			all.Go(func() { readOn(ctx, t, h, got) })
		}
	}
	for burst := range bursts {
		var posts sync.WaitGroup
		for range 1 + rand.IntN(3) {
			said++
			posts.Go(func() {
				_, err := hubs[rand.IntN(len(hubs))].Publish(ctx, history.Post{Channel: "chat", Object: []byte(`{}`)})
				require.NoError(t, err)
			})
		}
		posts.Wait()
		for upToDate := 0; upToDate < readers*len(hubs); {
			select {
			case id := <-got:
				if id == said {
					upToDate++
				}
			case <-time.After(5 * time.Second):
				stop()
				all.Wait()
				require.Fail(t, "a reader was not rung for", "burst %d, message %d", burst, said)
			}
		}
	}
	stop()
	all.Wait()
}

// readOn polls until ctx ends, and tells the last id after each answer.
func readOn(ctx context.Context, t *testing.T, h *hub.Hub, got chan<- uint64) {
	since, next := history.All(), uint64(1)
	for {
		f, err := h.Follow([]hub.Place{{Channel: "chat", Since: since}}, 9)
		require.NoError(t, err)
		page, err := f.Next(ctx)
		f.Close()
		if ctx.Err() != nil {
			return
		}
		require.NoError(t, err)
		require.Nil(t, page.Gap)
		for _, m := range page.Messages {
			require.Equal(t, next, m.ID)
			next++
		}
		since = history.After(page.Cursors[0])
		got <- next - 1
	}
}

// While the log is away a reader with a cursor has what is here, or nothing with the same
// cursor. When it is back, the channels in use are looked at again.
func TestAwayAndBack(t *testing.T) {
	s := newShared(t, history.Options{})
	h := s.instance(t)
	publish := func() {
		_, err := h.Publish(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
		require.NoError(t, err)
	}
	for range 3 {
		publish()
	}
	page, err := h.Read(t.Context(), []hub.Place{{Channel: "chat", Since: history.All()}}, 2)
	require.NoError(t, err)
	second := page.Cursors[0]
	s.bells.Wait()

	s.away.Store(true)
	page, err = h.Read(t.Context(), []hub.Place{{Channel: "chat", Since: history.After(second)}}, 9)
	require.NoError(t, err)
	require.Len(t, page.Messages, 1, "it is here")
	last := page.Cursors[0]
	for channel, at := range map[string]history.Cursor{"chat": last, "unknown": {Epoch: "epoch", ID: 7}} {
		page, err = h.Read(t.Context(), []hub.Place{{Channel: channel, Since: history.After(at)}}, 9)
		require.NoError(t, err)
		require.Empty(t, page.Messages)
		require.Equal(t, at, page.Cursors[0])
	}
	_, err = h.Read(t.Context(), []hub.Place{{Channel: "chat"}}, 9)
	require.ErrorIs(t, err, history.ErrAway, "what comes from now on cannot be known")

	next, err := h.Follow([]hub.Place{{Channel: "chat", Since: history.After(last)}}, 9)
	require.NoError(t, err)
	defer next.Close()
	_, err = next.Read(t.Context())
	require.ErrorIs(t, err, hub.ErrNothing)
	s.away.Store(false)
	_, err = s.Log.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)}) // nobody rings
	require.NoError(t, err)
	s.instances[0].Doubt()
	page, err = next.Next(t.Context())
	require.NoError(t, err)
	require.Len(t, page.Messages, 1)
}

// However many readers are behind, a message is fetched once.
func TestFetchedOnce(t *testing.T) {
	s := newShared(t, history.Options{})
	a, b := s.instance(t), s.instance(t)
	page, err := b.Read(t.Context(), []hub.Place{{Channel: "chat"}}, 1)
	require.NoError(t, err)
	before := s.reads.Load()
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			f, err := b.Follow([]hub.Place{{Channel: "chat", Since: history.After(page.Cursors[0])}}, 9)
			require.NoError(t, err)
			defer f.Close()
			_, err = f.Next(t.Context())
			require.NoError(t, err)
		})
	}
	require.Eventually(t, func() bool { return b.Waiting() == 200 }, 10*time.Second, time.Millisecond)
	_, err = a.Publish(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
	require.NoError(t, err)
	all.Wait()
	require.LessOrEqual(t, s.reads.Load()-before, int64(3))
}

// What tails keep is bounded, and what is forgotten is fetched again.
func TestTailsAreBounded(t *testing.T) {
	s := newShared(t, history.Options{})
	h := s.instance(t)
	object := []byte(`{"message":"` + strings.Repeat("x", 16_000) + `"}`)
	for i := range 400 {
		channel := fmt.Sprint(i)
		for range 20 {
			_, err := s.Log.Append(t.Context(), history.Post{Channel: channel, Object: object})
			require.NoError(t, err)
		}
		page, err := h.Read(t.Context(), []hub.Place{{Channel: channel, Since: history.All()}}, 99)
		require.NoError(t, err)
		require.Len(t, page.Messages, 20)
	}
	require.LessOrEqual(t, s.instances[0].Bytes(), 64<<20)
	page, err := h.Read(t.Context(), []hub.Place{{Channel: "0", Since: history.Last(5)}}, 99)
	require.NoError(t, err)
	require.Len(t, page.Messages, 5)
}

// setBack is a log that forgets its newest messages, as a restored one does.
type setBack struct {
	*memory.Log
	renewed atomic.Int64
}

func (s *setBack) SetBack(context.Context, string, string) error {
	s.renewed.Add(1)
	return errors.New("cannot be told apart in this test")
}

// A channel gets a new epoch on what this process has seen, and never on what a reader
// says: anybody can make a cursor up.
func TestForgedCursorsChangeNothing(t *testing.T) {
	behind := &setBack{Log: memory.New(history.Options{})}
	defer behind.Close()
	l := tail.New(behind, tail.Options{Shared: true, SetBack: behind.SetBack})
	receipt, err := l.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
	require.NoError(t, err)
	for _, forged := range []history.Cursor{
		{Epoch: receipt.Cursor.Epoch, ID: 1, Check: receipt.Cursor.Check + 1},
		{Epoch: receipt.Cursor.Epoch, ID: 99, Check: 7},
		{Epoch: "another", ID: 1},
	} {
		page, err := l.Read(t.Context(), history.Query{Channel: "chat", Since: history.After(forged), Limit: 9, Fresh: true})
		require.NoError(t, err)
		require.NotNil(t, page.Gap)
	}
	require.Zero(t, behind.renewed.Load())
}
