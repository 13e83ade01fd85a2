package poll

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pubsub/server/address"
	"pubsub/server/history"
	"pubsub/server/hub"
)

func at(id uint64) history.Cursor { return history.Cursor{Epoch: "epoch", ID: id} }

// poll is a plain poll that the readers of a test have not answered yet.
type poll struct {
	of    *readers
	query *Query
	since []history.Since
}

func (s *readers) poll(r *http.Request, channels ...string) *poll {
	q := newQuery(channels)
	q.plain = true
	return s.ask(r, q)
}

func (s *readers) ask(r *http.Request, q *Query) *poll {
	s.take(r, q)
	p := &poll{of: s, query: q}
	for _, place := range q.places {
		p.since = append(p.since, place.Since)
	}
	return p
}

func (p *poll) answer(ids ...uint64) {
	var cursors []history.Cursor
	for _, id := range ids {
		cursors = append(cursors, at(id))
	}
	p.of.had(p.query, cursors)
	p.of.leave(p.query)
}

func (p *poll) hangUp() { p.of.leave(p.query) }

// behindProxy has a server behind one proxy, which tells it connections apart by their
// ports.
var behindProxy = address.Source{TrustedHops: 1}

func from(client, connection string, headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/sub", nil)
	r.Header.Set("X-Forwarded-For", client)
	r.Header.Set("X-Forwarded-Port", connection)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	return r
}

// ann polls the chat from an address of hers.
func (s *readers) ann(connection string) *poll {
	return s.poll(from("203.0.113.1", connection), "chat")
}

func requireSince(t require.TestingT, p *poll, id uint64) {
	require.Equal(t, []history.Since{history.After(at(id))}, p.since)
}

func requireNow(t require.TestingT, p *poll) {
	require.Equal(t, []history.Since{history.Now()}, p.since)
}

// Whichever connection a client asks on, it goes on from its place.
func TestPlaceIsTheReadersOnAnyConnection(t *testing.T) {
	s := newReaders(behindProxy)
	first := s.ann("1")
	requireNow(t, first)
	first.answer(5)
	for id := uint64(5); id < 9; id++ {
		next := s.ann(fmt.Sprint("connection ", id))
		requireSince(t, next, id)
		next.answer(id + 1)
	}
}

// As many as wait at the same time are there. A further one begins now.
func TestThereAreAsManyReadersAsWait(t *testing.T) {
	s := newReaders(behindProxy)
	one, two := s.ann("1"), s.ann("2")
	one.answer(1)
	two.answer(2)
	one, two = s.ann("1"), s.ann("2")
	requireSince(t, one, 1)
	requireSince(t, two, 2)
	three := s.ann("1")
	requireNow(t, three)
	three.answer(9)
	requireSince(t, s.ann("4"), 9)
}

// Of several the one fits best that last came on this connection, else the one that is
// further behind.
func TestWhichReaderFits(t *testing.T) {
	for connection, want := range map[string]uint64{"1": 3, "2": 7, "3": 3} {
		for _, first := range []uint64{3, 7} {
			s := newReaders(behindProxy)
			one, two := s.ann("1"), s.ann("2")
			if first == 7 {
				two.answer(7)
			}
			one.answer(3)
			if first == 3 {
				two.answer(7)
			}
			requireSince(t, s.ann(connection), want)
		}
	}
}

// A tab that was closed does not come back, so what remains of it is the last that is
// taken, though it is further behind.
func TestReadersThatHungUpComeLast(t *testing.T) {
	s := newReaders(behindProxy)
	closed, open := s.ann("1"), s.ann("2")
	closed.answer(1)
	open.answer(1)
	closed, open = s.ann("1"), s.ann("2")
	closed.hangUp()
	open.answer(2)
	open = s.ann("1")
	requireSince(t, open, 2)
	requireSince(t, s.ann("3"), 1)
}

// Tabs of a browser ask on whichever connection is free, so the one further behind comes first.
func TestConnectionsOfABrowserTellNothing(t *testing.T) {
	for agent, since := range map[string]uint64{"Mozilla/5.0 (X11; Linux x86_64)": 1, "python-requests/2.32": 2} {
		s := newReaders(behindProxy)
		ask := func(connection string) *poll {
			return s.poll(from("192.0.2.1", connection, "User-Agent: "+agent), "chat")
		}
		behind, ahead := ask("1"), ask("2")
		behind.answer(1)
		ahead.answer(2)
		requireSince(t, ask("2"), since)
	}
}

// What was sent to a client that is gone it has not had.
func TestWhatCouldNotBeWrittenIsGivenAgain(t *testing.T) {
	s := newReaders(behindProxy)
	page := &hub.Page{Starts: []history.Cursor{at(4)}, Cursors: []history.Cursor{at(5)}}
	gone := s.ann("1")
	gone.answer(5)
	s.hadNot(gone.query, page)
	again := s.ann("2")
	requireSince(t, again, 4)
	again.answer(6)
	s.hadNot(gone.query, page)
	requireSince(t, s.ann("2"), 6)
}

// Who asks again before the answered poll has ended waits with the same reader, which that
// one's end must not give to others.
func TestAPollEndsWhileItsReaderWaitsAgain(t *testing.T) {
	s := newReaders(behindProxy)
	first := s.ann("1")
	s.had(first.query, []history.Cursor{at(5)})
	second := s.ann("1")
	requireSince(t, second, 5)
	s.leave(first.query)
	requireNow(t, s.ann("2"))
}

// A poll that got no message leaves nothing behind.
func TestWhoWasGivenNothingBeginsNow(t *testing.T) {
	s := newReaders(behindProxy)
	s.ann("1").hangUp()
	require.Empty(t, s.byID)
	requireNow(t, s.ann("1"))
}

func TestReadersOfSeveralChannels(t *testing.T) {
	s := newReaders(behindProxy)
	ann := func(channels ...string) *poll { return s.poll(from("203.0.113.1", "1"), channels...) }
	ann("chat", "news").answer(3, 7)
	ann("news").answer(8)
	both := ann("news", "chat", "other")
	require.Equal(t, []history.Since{history.After(at(8)), history.After(at(3)), history.Now()}, both.since)
}

// Who began with the API goes on by timestamps, so what is left of that must not be given to a
// plain poll.
func TestReadersOfTheAPIAreApart(t *testing.T) {
	s := newReaders(behindProxy)
	ann := from("203.0.113.1", "1")
	s.ask(ann, newQuery([]string{"chat"})).answer(1)
	requireNow(t, s.ann("1"))
	requireSince(t, s.ask(ann, newQuery([]string{"chat"})), 1)
}

// By these a client is told apart for sure. What only names a connection is none of it.
func TestWhoIsToldApart(t *testing.T) {
	client := from("203.0.113.1", "1", `Forwarded: for="203.0.113.1:5000";proto=http;connection=17`, "User-Agent: Firefox", "X-Client-ID: tab")
	alike := func(source address.Source, other *http.Request) bool {
		return identityOf(client, source) == identityOf(other, source)
	}
	for header, want := range map[string]bool{
		"X-Forwarded-Port: 2": true,
		`Forwarded: proto=http; For="203.0.113.1:5001";connection=18`: true,
		`Forwarded: for=203.0.113.1`:                                  true,
		`Forwarded: for="[2001:db8::1]:5000"`:                         false,
		`Forwarded: for=_hidden`:                                      false,
		`Forwarded: proto=http`:                                       false,
		"X-Forwarded-For: 203.0.113.2":                                false,
		"X-Forwarded-For: 198.51.100.9, 203.0.113.1":                  true, // its own invention
		"User-Agent: Chromium":                                        false,
		"X-Client-ID: other":                                          false,
	} {
		other := client.Clone(t.Context())
		name, value, _ := strings.Cut(header, ": ")
		other.Header.Set(name, value)
		require.Equal(t, want, alike(behindProxy, other), header)
		invented := strings.HasPrefix(header, "Forwarded") || strings.HasPrefix(header, "X-Forwarded")
		require.Equal(t, want || invented, alike(address.Source{}, other), "no proxy is trusted: %s", header)
	}
	neighbour := from("2001:db8::1", "1")
	require.NotEqual(t, identityOf(neighbour, behindProxy), identityOf(from("2001:db8::2", "1"), behindProxy), "of one network")
}

// A reader takes the same room however many messages it is given.
func TestReaderCountsOnce(t *testing.T) {
	s := newReaders(behindProxy)
	for id := range uint64(10) {
		s.ann("1").answer(id)
		require.Equal(t, alikeBytes+readerBytes, s.byAddress.Weights.Total())
	}
	require.Len(t, s.byID, 1)
}

// However many polls are alike, so many are remembered: the ones that came last.
func TestReadersThatAreAlikeAreBounded(t *testing.T) {
	s := newReaders(behindProxy)
	var all []*poll
	for i := range readersAlike + 10 {
		all = append(all, s.ann(fmt.Sprint(i)))
	}
	for i, each := range all {
		each.answer(uint64(i))
	}
	require.Equal(t, alikeBytes+readersAlike*readerBytes, s.byAddress.Weights.Total())
	requireSince(t, s.ann("elsewhere"), 10)
}

// An address may invent as many clients as it likes: what is remembered is bounded,
// and the others' is not what is forgotten.
func TestInventedClientsPushOutNobodyElse(t *testing.T) {
	s := newReaders(behindProxy)
	of := func(client, agent string) *poll { return s.poll(from(client, "1", "User-Agent: "+agent), "chat") }
	of("203.0.113.2", "bob").answer(9)
	waiting := of("203.0.113.1", "first")
	waiting.answer(1)
	waiting = of("203.0.113.1", "first")
	long := strings.Repeat("x", 1000)
	for i := range 2 * readersBytes / alikeBytes {
		of("203.0.113.1", fmt.Sprint(long, i)).answer(1)
		require.LessOrEqual(t, s.byAddress.Weights.Total(), readersBytes)
		require.LessOrEqual(t, len(s.byID), readersBytes/alikeBytes)
	}
	require.Greater(t, s.byAddress.Weights.Total(), readersBytes*9/10)
	of("203.0.113.3", "cid").answer(4)
	requireSince(t, of("203.0.113.3", "cid"), 4)
	requireSince(t, of("203.0.113.2", "bob"), 9)
	requireNow(t, of("203.0.113.1", long+"0"))
	waiting.answer(2)
	requireSince(t, of("203.0.113.1", "first"), 2)
}

func TestReadersAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReaders(behindProxy)
		bob := func() *poll { return s.poll(from("203.0.113.2", "1"), "chat") }
		s.ann("1").answer(1)
		bob().answer(1)
		waiting := bob()
		time.Sleep(readersFor - time.Second)
		s.forget()
		require.Len(t, s.byID, 1, "bob's is his poll's")
		still := s.ann("2")
		requireSince(t, still, 1)
		still.answer(2)
		time.Sleep(readersFor)
		requireNow(t, s.ann("1"))
		requireNow(t, bob())
		waiting.answer(7)
		requireSince(t, bob(), 7)
		time.Sleep(readersFor)
		s.forget()
		require.Empty(t, s.byID)
		require.Zero(t, s.byAddress.Weights.Of(netip.MustParseAddr("203.0.113.1")))
		require.Zero(t, s.byAddress.Weights.Total())
	})
}

// Of one that is looked at often, only the readers are forgotten that nobody takes.
func TestReaderThatNobodyTakesIsForgottenBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReaders(behindProxy)
		closed, open := s.ann("1"), s.ann("2")
		closed.answer(1)
		open.answer(1)
		for id := uint64(1); id < 70; id++ {
			time.Sleep(time.Second)
			open = s.ann("2")
			requireSince(t, open, id)
			open.answer(id + 1)
		}
		s.ann("2")
		requireNow(t, s.ann("3"))
	})
}

// Readers are held against a list of all that are free, with any polls at any time.
func TestReadersAsInAList(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newReaders(behindProxy)
		type known struct {
			id         uint64
			connection string
			answered   bool
		}
		type pending struct {
			*poll
			known
		}
		var free []known // the last one that was freed at the end
		var waiting []pending
		last := uint64(0)
		end := func(r *rapid.T, how func(*pending)) {
			if len(waiting) == 0 {
				r.Skip("nobody waits")
			}
			i := rapid.IntRange(0, len(waiting)-1).Draw(r, "which")
			one := waiting[i]
			waiting = slices.Delete(waiting, i, i+1)
			if how(&one); one.id > 0 {
				free = append(free, one.known)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"poll": func(r *rapid.T) {
				connection := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r, "connection")
				p := s.ann(connection)
				if len(free) == 0 {
					requireNow(r, p)
					waiting = append(waiting, pending{p, known{0, connection, false}})
					return
				}
				may := free
				for _, better := range []func(known) bool{
					func(k known) bool { return k.answered },
					func(k known) bool { return k.connection == connection },
				} {
					if some := slices.DeleteFunc(slices.Clone(may), func(k known) bool { return !better(k) }); len(some) > 0 {
						may = some
					}
				}
				best := slices.MinFunc(may, func(a, b known) int { return int(a.id) - int(b.id) })
				requireSince(r, p, best.id)
				free = slices.Delete(free, slices.Index(free, best), slices.Index(free, best)+1)
				waiting = append(waiting, pending{p, known{best.id, connection, false}})
			},
			"answer": func(r *rapid.T) {
				last++
				end(r, func(one *pending) {
					one.answer(last)
					one.id, one.answered = last, true
				})
			},
			"hang up": func(r *rapid.T) { end(r, func(one *pending) { one.hangUp() }) },
		})
	})
}
