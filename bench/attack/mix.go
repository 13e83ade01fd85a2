package attack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

const (
	mixers      = 32   // that ask at the same time
	mixedFrom   = 20   // addresses
	heldByMixer = 10   // connections that are not read
	shortWait   = 0.05 // seconds that a poll of the mix waits
)

// mixer sends small doses in random order. It is for one goroutine.
type mixer struct {
	scene   *scene
	random  *rand.Rand
	callers []*caller
	held    []net.Conn
}

// doses are what a mixer picks from, with their weights.
var doses = []struct {
	weight int
	do     func(*mixer, context.Context)
}{
	{10, (*mixer).forwardedPoll},
	{3, (*mixer).unreadList},
	{3, (*mixer).unreadPage},
	{8, (*mixer).dearRead},
	{15, (*mixer).keyedPost},
	{10, (*mixer).newChannel},
	{10, (*mixer).poll},
	{5, (*mixer).bigPost},
	{8, (*mixer).longLog},
	{3, (*mixer).idle},
	{5, (*mixer).noise},
	{20, (*mixer).chatter},
}

// mix sends so many requests, whatever it takes.
func mix(ctx context.Context, s *scene) error {
	var sent atomic.Int64
	each(mixers, func(i int) {
		m := &mixer{scene: s, random: rand.New(rand.NewPCG(uint64(i), 66))}
		for part := range 2 {
			m.callers = append(m.callers, s.caller(accomplice((2*i+part)%mixedFrom)))
		}
		defer m.leave()
		for sent.Add(1) <= int64(s.Requests) && ctx.Err() == nil {
			m.dose()(m, ctx)
		}
	})
	s.note("%d requests", s.Requests)
	return nil
}

func (m *mixer) dose() func(*mixer, context.Context) {
	all := 0
	for _, d := range doses {
		all += d.weight
	}
	n := m.random.IntN(all)
	for _, d := range doses {
		if n -= d.weight; n < 0 {
			return d.do
		}
	}
	return (*mixer).chatter
}

func (m *mixer) caller() *caller { return m.callers[m.random.IntN(len(m.callers))] }

func (m *mixer) name(kinds int) string { return fmt.Sprint("mix", m.random.IntN(kinds)) }

// hold keeps a connection open and unread, in place of the oldest.
func (m *mixer) hold(ctx context.Context, request []byte) {
	conn, err := m.scene.askAndLeave(ctx, m.caller().from, request)
	if err != nil {
		return
	}
	if m.held = append(m.held, conn); len(m.held) > heldByMixer {
		m.held[0].Close()
		m.held = m.held[1:]
	}
}

func (m *mixer) leave() {
	for _, c := range m.callers {
		c.hangUp()
	}
	for _, conn := range m.held {
		conn.Close()
	}
}

// forwardedPoll is a poll without a cursor of a new client each time. It hangs
// up when it has not been answered for a moment.
func (m *mixer) forwardedPoll(ctx context.Context) {
	n := m.random.Int()
	c := &caller{scene: m.scene, from: m.caller().from, counts: new(answers)}
	defer c.hangUp()
	limit := time.Duration(shortWait * float64(time.Second))
	got, err := c.try(ctx, limit, m.scene.get("/sub/"+room(n), forwardedFor(n%1000, n), userAgent(n)))
	if err == nil {
		m.scene.answers.add(got)
	}
}

func (m *mixer) unreadList(ctx context.Context) { m.hold(ctx, m.scene.get("/channels")) }

func (m *mixer) unreadPage(ctx context.Context) {
	m.hold(ctx, m.scene.get("/sub/"+m.name(100)+"?since=all&timeout=0"))
}

func (m *mixer) dearRead(ctx context.Context) {
	m.caller().ask(ctx, m.scene.dearRead(m.random.IntN(1<<20)))
}

func (m *mixer) keyedPost(ctx context.Context) {
	key := fmt.Sprint("Idempotency-Key: ", m.random.IntN(100_000))
	m.caller().ask(ctx, m.scene.say(m.name(100), "keyed", key))
}

func (m *mixer) newChannel(ctx context.Context) {
	m.caller().ask(ctx, m.scene.say(m.name(1_000_000), "new"))
}

func (m *mixer) poll(ctx context.Context) {
	m.caller().ask(ctx, m.scene.get(fmt.Sprintf("/sub/%s?since=now&timeout=%g", m.name(100), shortWait)))
}

func (m *mixer) bigPost(ctx context.Context) {
	m.caller().ask(ctx, m.scene.say(m.name(100), bigText))
}

func (m *mixer) longLog(ctx context.Context) { m.caller().ask(ctx, m.scene.get(longPath)) }

// idle is a connection that asks nothing, or half of something.
func (m *mixer) idle(ctx context.Context) { m.hold(ctx, []byte("GET /su")) }

// noise is not HTTP.
func (m *mixer) noise(ctx context.Context) {
	m.caller().ask(ctx, []byte("\x16\x03\x01 this is TLS\r\n\r\n"))
}

// chatter reads the honest chat from its beginning or its end.
func (m *mixer) chatter(ctx context.Context) {
	since := [...]string{"all", "now", "-10"}[m.random.IntN(3)]
	m.caller().ask(ctx, m.scene.get("/sub/chat?timeout=0&since="+since))
}
