package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// room is a channel to which some people post, gently and without end. A post that is
// refused is repeated with its key until it is taken.
type room struct {
	t       *testing.T
	addr    string
	posters sync.WaitGroup
	others  sync.WaitGroup
	posting chan struct{}   // closed when nobody shall post any more
	reading context.Context // ends when nobody shall read any more
	hush    context.CancelFunc
	refused atomic.Int64
	setBack atomic.Bool // as a reader was told

	takenMu sync.Mutex // guards the rest
	taken   map[uint64]string
	count   int
	longest time.Duration
}

const (
	posters   = 4
	postEvery = 200 * time.Millisecond // each: 20 a second in all
)

func newRoom(t *testing.T, addr string) *room {
	r := &room{t: t, addr: addr, posting: make(chan struct{}), taken: make(map[uint64]string)}
	r.reading, r.hush = context.WithCancel(context.Background())
	for i := range posters {
		c := newClient(t, addr, "127.0.0.1")
		r.posters.Go(func() { r.post(c, fmt.Sprint("poster ", i)) })
	}
	return r
}

func (r *room) post(c *pubsubtest.Client, name string) {
	tick := time.NewTicker(postEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
			if !r.say(c, fmt.Sprint(name, ", ", n)) {
				return
			}
		case <-r.posting:
			return
		}
	}
}

// say posts a text until it is taken.
func (r *room) say(c *pubsubtest.Client, text string) (ok bool) {
	c.Header.Set("Idempotency-Key", text)
	began := time.Now()
	for time.Since(began) < 2*patience {
		status, header, body := c.Do(http.MethodPost, "/pub/room?message="+asQuery(text))
		if status == http.StatusOK {
			return r.took(text, body, time.Since(began))
		}
		r.refused.Add(1)
		if !assert.Equal(r.t, http.StatusServiceUnavailable, status, body) || !assert.NotEmpty(r.t, header.Get("Retry-After")) || !assert.Contains(r.t, body, ". ") {
			return false
		}
		again()
	}
	return assert.Fail(r.t, "a post was refused for too long", text)
}

func (r *room) took(text, body string, after time.Duration) (ok bool) {
	var receipt struct{ ID uint64 }
	if !assert.NoError(r.t, json.Unmarshal([]byte(body), &receipt), body) {
		return false
	}
	r.takenMu.Lock()
	defer r.takenMu.Unlock()
	r.taken[receipt.ID] = text
	r.count, r.longest = r.count+1, max(r.longest, after)
	return true
}

// slowest is how long the slowest post took since it was asked for last.
func (r *room) slowest() (longest time.Duration) {
	r.takenMu.Lock()
	defer r.takenMu.Unlock()
	longest, r.longest = r.longest, 0
	return longest.Round(time.Millisecond)
}

// acknowledged is how many messages were.
func (r *room) acknowledged() int {
	r.takenMu.Lock()
	defer r.takenMu.Unlock()
	return r.count
}

// await returns when so many more messages were acknowledged.
func (r *room) await(more int) {
	r.t.Helper()
	want := r.acknowledged() + more
	require.Eventually(r.t, func() bool { return r.acknowledged() >= want }, 2*patience, 10*time.Millisecond)
}

// log is all messages that there are.
func (r *room) log() (all map[uint64]string) {
	c, all := newClient(r.t, r.addr, "127.0.0.1"), make(map[uint64]string)
	for at, more := "all", true; more; {
		var page page
		status, _, body := c.Do(http.MethodGet, "/sub/room?timeout=0&since="+at)
		require.Equal(r.t, http.StatusOK, status, body)
		require.NoError(r.t, json.Unmarshal([]byte(body), &page), body)
		for _, m := range page.Messages {
			all[m.ID] = m.Message
		}
		at, more = page.Cursor, page.More
	}
	return all
}

// finish ends the posts.
func (r *room) finish() {
	close(r.posting)
	r.posters.Wait()
}

// stop ends all that goes on.
func (r *room) stop() {
	select {
	case <-r.posting:
	default:
		r.finish()
	}
	r.hush()
	r.others.Wait()
}

// again lets a moment pass before something is asked again, and not the second or more
// that a refusal asks for.
func again() { <-time.After(20 * time.Millisecond) }
