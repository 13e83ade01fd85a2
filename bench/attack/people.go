package attack

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pubsub/bench/load"
)

// phase is when a message was posted.
type phase int32

const (
	before phase = iota
	during
	after
	phases
)

// postEvery is the honest chat's pace.
const postEvery = 200 * time.Millisecond

// people chat honestly: each reads the chat with a cursor from an address of
// its own, and one posts.
type people struct {
	scene   *scene
	answers answers
	prefix  []byte
	nonce   string
	base    time.Time
	phase   atomic.Int32
	ready   sync.WaitGroup // until each has a cursor
	ended   sync.WaitGroup
	leave   context.CancelFunc
	posters chan *caller // that are idle

	heardMu  sync.Mutex // guards all below
	sent     []message
	seen     [][]bool // by reader and message
	fresh    int
	doubled  int
	gaps     int
	strange  string // an answer that should not be
	latency  [phases]load.Histogram
	failures int // answers that a reader could not go on from
}

// message is one of the chat's.
type message struct {
	phase    phase
	accepted bool
}

// gather lets n people come and read, and returns when all have a cursor.
func (s *scene) gather(ctx context.Context, n int) (*people, error) {
	nonce := strings.ToLower(rand.Text()[:8])
	p := &people{
		scene: s, nonce: nonce, prefix: []byte("tick-" + nonce + "-"), base: time.Now(),
		seen: make([][]bool, n), posters: make(chan *caller, 100),
	}
	ctx, p.leave = context.WithCancel(ctx)
	p.ready.Add(n)
	for i := range n {
		p.ended.Go(func() { p.read(ctx, i) })
	}
	ready := make(chan struct{})
	go func() { p.ready.Wait(); close(ready) }()
	select {
	case <-ready:
		return p, nil
	case <-ctx.Done():
	case <-time.After(30 * time.Second):
	}
	p.goHome()
	return nil, fmt.Errorf("the %d honest people did not get in; they were answered %s", n, &p.answers)
}

func (p *people) goHome() {
	p.leave()
	p.ended.Wait()
}

var cursorField = regexp.MustCompile(`"cursor":"([^"]*)"`)

// read is one person's reading, as the chat page does it.
func (p *people) read(ctx context.Context, i int) {
	c := &caller{scene: p.scene, from: person(i), counts: &p.answers}
	defer c.hangUp()
	id, query := fmt.Sprintf("X-Client-ID: honest-%d", i), "since=now&timeout=0"
	begun := false
	begin := func() {
		if !begun {
			begun = true
			p.ready.Done()
		}
	}
	defer begin() // who is sent home early must not be waited for
	for ctx.Err() == nil {
		got := c.ask(ctx, p.scene.get("/sub/chat?"+query, id))
		cursor := cursorField.FindSubmatch(got.body)
		switch {
		case ctx.Err() != nil:
			return
		case got.status != 200 || cursor == nil:
			p.fail(got)
			pause(ctx, 200*time.Millisecond)
			continue
		}
		p.hear(i, got.body)
		query = "since=" + string(cursor[1])
		begin()
	}
}

func (p *people) fail(got answer) {
	p.heardMu.Lock()
	defer p.heardMu.Unlock()
	p.failures++
	if got.status != 0 && p.strange == "" {
		p.strange = fmt.Sprintf("a reader was answered with %d: %.120s", got.status, bytes.TrimSpace(got.body))
	}
}

// hear takes in what a reader was given.
func (p *people) hear(i int, body []byte) {
	now := time.Since(p.base)
	p.heardMu.Lock()
	defer p.heardMu.Unlock()
	if hasGap(body) {
		p.gaps++
	}
	load.EachStamp(body, p.prefix, func(s load.Stamp) {
		if s.Message >= len(p.sent) {
			return
		}
		for len(p.seen[i]) <= s.Message {
			p.seen[i] = append(p.seen[i], false)
		}
		if p.seen[i][s.Message] {
			p.doubled++
			return
		}
		p.seen[i][s.Message] = true
		p.fresh++
		p.latency[p.sent[s.Message].phase].Add(now - s.Intended)
	})
}

// post posts at the chat's pace until ctx ends, whether or not the server keeps
// up, and waits for the last answer.
func (p *people) post(ctx context.Context) {
	tick := time.NewTicker(postEvery)
	defer tick.Stop()
	var posts sync.WaitGroup
	defer posts.Wait()
	for {
		select {
		case <-tick.C:
			n, at := p.begin(), time.Since(p.base)
			posts.Go(func() { p.postOne(n, at) })
		case <-ctx.Done():
			return
		}
	}
}

func (p *people) begin() (n int) {
	p.heardMu.Lock()
	defer p.heardMu.Unlock()
	p.sent = append(p.sent, message{phase: phase(p.phase.Load())})
	return len(p.sent) - 1
}

func (p *people) postOne(n int, at time.Duration) {
	var c *caller
	select {
	case c = <-p.posters:
	default:
		c = &caller{scene: p.scene, from: poster, counts: &p.answers}
	}
	text := load.AppendText(nil, p.nonce, load.Stamp{Message: n, Intended: at}, 64)
	got := c.askWithin(context.Background(), 15*time.Second, p.scene.say("chat", string(text)))
	p.heardMu.Lock()
	p.sent[n].accepted = got.status == 200
	p.heardMu.Unlock()
	select {
	case p.posters <- c:
	default:
		c.hangUp()
	}
}

// finish waits until all have what was posted, at most until limit, sends
// everybody home and closes what is open.
func (p *people) finish(ctx context.Context, limit time.Duration) {
	for end := time.Now().Add(limit); p.lost() > 0 && time.Now().Before(end); {
		if !pause(ctx, 50*time.Millisecond) {
			break
		}
	}
	p.goHome()
	for {
		select {
		case c := <-p.posters:
			c.hangUp()
		default:
			return
		}
	}
}

// lost is how often a person has not heard a message that the server took.
func (p *people) lost() (n int) {
	p.heardMu.Lock()
	defer p.heardMu.Unlock()
	for i, m := range p.sent {
		for _, seen := range p.seen {
			if m.accepted && (i >= len(seen) || !seen[i]) {
				n++
			}
		}
	}
	return n
}

// refused is how many messages the server did not take.
func (p *people) refused() (n int) {
	p.heardMu.Lock()
	defer p.heardMu.Unlock()
	for _, m := range p.sent {
		if !m.accepted {
			n++
		}
	}
	return n
}

// hasGap tells whether an answer says that something is gone.
func hasGap(body []byte) bool { return bytes.Contains(body, []byte(`"gap":`)) }
