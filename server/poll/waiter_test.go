package poll

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/access"
	"pubsub/server/bus"
	"pubsub/server/crowd"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
	"pubsub/server/observe"
	"pubsub/server/settings"
	"pubsub/server/web"
)

// toyExchange is one that is sent to nobody.
type toyExchange struct {
	gone, breaks bool
	sent         chan string // "closed" if it is closed
}

func (e *toyExchange) Take() bool {
	taken := !e.gone
	e.gone = true
	return taken
}
func (e *toyExchange) Header() http.Header { return nil }
func (e *toyExchange) Closes() bool        { return false }
func (e *toyExchange) Close()              { e.sent <- "closed" }
func (e *toyExchange) Send(answer []byte, _ bool, _ func([]byte) (func(), bool)) {
	if e.breaks {
		panic("oh")
	}
	e.sent <- string(answer)
}

// seated is what waiters of a test wait in.
type seated struct {
	polls  *Polls
	crowd  *crowd.Crowd
	page   *hub.Page // the only message
	panics int
	left   int
}

func (s *seated) Count(string, slog.Level) bool { return false }
func (s *seated) CountPanic()                   { s.panics++ }

// withSeats runs a test in a bubble.
func withSeats(t *testing.T, test func(t *testing.T, s *seated)) {
	synctest.Test(t, func(t *testing.T) {
		b, err := bus.New(bus.Options{Shards: 1})
		require.NoError(t, err)
		log := memory.New(history.Options{})
		h := hub.New(b, log)
		_, err = h.Publish(t.Context(), history.Post{Channel: "room", Object: []byte(`{"message":"hi"}`)})
		require.NoError(t, err)
		set, s := settings.Default(), new(seated)
		control, err := access.New(&set, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		responder := &web.Responder{Log: slog.New(slog.DiscardHandler), Refusals: s, Draining: func() bool { return false }}
		s.polls = New(&set, h, control, responder, observe.NewMetrics(h, b), nil)
		s.page, err = h.Read(t.Context(), []hub.Place{{Channel: "room", Since: history.Back()}}, maxPage)
		require.NoError(t, err)
		s.crowd, err = s.polls.crowds.Enter([]string{"room"}, s.polls.kinds[pages])
		require.NoError(t, err)
		synctest.Wait()
		test(t, s)
		s.crowd.Leave()
		require.NoError(t, b.Close())
		require.NoError(t, log.Close())
	})
}

// waiter is one that has not joined.
func (s *seated) waiter() (*waiter, *toyExchange) {
	e := &toyExchange{sent: make(chan string, 2)}
	crowd := s.polls.crowds.Find(s.crowd.Channels(), s.polls.kinds[pages])
	return &waiter{polls: s.polls, form: pages, crowd: crowd, exchange: e, forget: func() { s.left++ }, until: time.Now().Add(time.Minute)}, e
}

// What may end a wait may come right before the seat is taken. Then it is not missed.
func TestWaitThatEndsWhileItJoins(t *testing.T) {
	withSeats(t, func(t *testing.T, s *seated) {
		m, e := s.waiter() // its time was over
		m.until = time.Now()
		require.True(t, m.joined(s.crowd.Join, s.page.Cursors))
		require.Len(t, e.sent, 1)
		require.Contains(t, <-e.sent, `"messages":[]`)

		m, e = s.waiter() // it was to make room, which its handler does not wait for
		began := time.Now()
		m.displaced(web.TooMany("test", 1, "Make room."))
		synctest.Wait()
		require.True(t, m.joined(s.crowd.Join, s.page.Cursors))
		require.Zero(t, time.Since(began))
		require.Contains(t, <-e.sent, "Make room.")

		m, e = s.waiter() // its client hung up
		e.gone = true
		m.hungUp()
		synctest.Wait()
		require.True(t, m.joined(s.crowd.Join, s.page.Cursors))
		require.False(t, m.Seated())
		require.False(t, s.polls.timeouts.Remove(&m.Entry), "nothing keeps it until its time is over")
		require.Equal(t, 3, s.left)
	})
}

// A poll that cannot be answered is over all the same, and its connection is closed.
func TestAnswerThatPanics(t *testing.T) {
	withSeats(t, func(t *testing.T, s *seated) {
		for n, end := range []func(m *waiter){
			(*waiter).Due,
			func(m *waiter) { m.displaced(web.Full("test", "Make room.")) },
			func(*waiter) {
				_, err := s.polls.hub.Publish(t.Context(), history.Post{Channel: "room", Object: []byte(`{}`)})
				require.NoError(t, err)
			},
		} {
			m, e := s.waiter()
			e.breaks = true
			require.True(t, m.joined(s.crowd.Join, s.page.Cursors))
			end(m)
			require.Equal(t, "closed", <-e.sent)
			synctest.Wait()
			require.Equal(t, []int{n + 1, n + 1}, []int{s.panics, s.left})
			require.Empty(t, e.sent)
		}
	})
}

// A poll that panics before it waits is counted no longer.
func TestPollThatPanicsBeforeItWaits(t *testing.T) {
	withSeats(t, func(t *testing.T, s *seated) {
		s.polls.crowds = crowd.New(nil, nil) // none can be opened
		r := httptest.NewRequest("GET", "/sub/room?since=now", nil)
		q, err := s.polls.query(r, "room", Sub)
		require.NoError(t, err)
		require.Panics(t, func() { _ = s.polls.await(httptest.NewRecorder(), r, q) })
		require.Zero(t, s.polls.access.WaitedChannels())
	})
}

// Many are sent one answer with the same news, also while another crowd has news.
func TestAnswersAreMadeOnce(t *testing.T) {
	withSeats(t, func(t *testing.T, s *seated) {
		one, other := &crowd.News{Text: []byte("one")}, &crowd.News{Text: []byte(strings.Repeat("other", 1000))}
		plain, _ := s.waiter()
		packed, _ := s.waiter()
		packed.compressor = web.NewCompressor()
		for _, m := range []*waiter{plain, packed} {
			for _, news := range []*crowd.News{one, other} {
				first := m.whole(news)
				_, _ = plain.whole(one), packed.whole(other)
				require.Same(t, &first[0], &m.whole(news)[0])
			}
		}
		require.NotEqual(t, plain.whole(other), packed.whole(other))
		time.Sleep(time.Minute) // what compresses forgets
	})
}
