package torture_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/torture"
)

// broken is a small server of the dialect cursor, without limits and restarts, that does
// one thing wrong.
type broken struct {
	mu       sync.Mutex
	channels map[string]*log
	faults
	stop func() // the test, when there were enough posts
}

// enough posts show each fault on a machine of any speed.
const enough = 200

type faults struct {
	// page is what a poll shows of what there is, and where the reader goes on.
	page func(since int, page []message) (shown []message, next int)

	keys   bool // are forgotten
	behind int  // messages that a short poll does not show
	refuse func(posts int) bool
	posts  int
}

type log struct {
	messages []message
	keys     map[string]int
	changed  chan struct{}
}

type message struct {
	ID        int     `json:"id"`
	Timestamp float64 `json:"timestamp"`
	Message   string  `json:"message"`
}

func (b *broken) log(name string) *log {
	if b.channels[name] == nil {
		b.channels[name] = &log{keys: make(map[string]int), changed: make(chan struct{})}
	}
	return b.channels[name]
}

func (b *broken) publish(w http.ResponseWriter, r *http.Request) {
	var m message
	if json.NewDecoder(r.Body).Decode(&m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.posts++; b.posts == enough {
		b.stop()
	}
	if b.refuse != nil && b.refuse(b.posts) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	l, key := b.log(r.PathValue("channel")), r.Header.Get("Idempotency-Key")
	if l.keys[key] == 0 || b.keys {
		m.ID = len(l.messages) + 1
		m.Timestamp = float64(m.ID)
		l.messages = append(l.messages, m)
		l.keys[key] = m.ID
		close(l.changed)
		l.changed = make(chan struct{})
	}
	fmt.Fprintf(w, `{"status":"sent","id":%d,"cursor":"e-%[1]d"}`, l.keys[key])
}

func (b *broken) poll(w http.ResponseWriter, r *http.Request) {
	since := r.FormValue("since")
	for {
		shown, next, changed := b.read(r.PathValue("channel"), since)
		if len(shown) == 0 && r.FormValue("timeout") != "0" {
			select {
			case <-changed:
				continue
			case <-r.Context().Done():
				return
			}
		}
		text, _ := json.Marshal(shown)
		fmt.Fprintf(w, `{"messages":%s,"cursor":"e-%d","more":false}`, text, next)
		return
	}
}

func (b *broken) read(channel, since string) (shown []message, next int, changed chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(channel)
	end := len(l.messages)
	from := end
	switch id, isCursor := strings.CutPrefix(since, "e-"); {
	case isCursor:
		from, _ = strconv.Atoi(id)
	case since == "-10":
		end = max(0, end-b.behind)
		return l.messages[max(0, end-10):end], end, l.changed
	}
	if b.page != nil {
		shown, next = b.page(from, l.messages[from:end])
		return shown, next, l.changed
	}
	return l.messages[from:end], end, l.changed
}

// runBroken lets four readers read what a server that has f does with enough posts.
func runBroken(t *testing.T, f faults) (verdict string, err error) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	b := &broken{channels: make(map[string]*log), faults: f, stop: stop}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /pub/{channel}", b.publish)
	mux.HandleFunc("GET /sub/{channel}", b.poll)
	s := httptest.NewServer(mux)
	defer s.Close()
	return runUntil(ctx, t, "-rate=600", "-channels=2", "-clients=4", "-for=10m", s.URL)
}

// The message in the middle of all faults.
const odd = 5

func loses(since int, page []message) (shown []message, next int) {
	for _, m := range page {
		if m.ID != odd {
			shown = append(shown, m)
		}
	}
	return shown, since + len(page)
}

func doubles(since int, page []message) (shown []message, next int) {
	for _, m := range page {
		shown = append(shown, m)
		if m.ID == odd {
			shown = append(shown, m)
		}
	}
	return shown, since + len(page)
}

// reorders waits for two, as only these can be in the wrong order.
func reorders(since int, page []message) (shown []message, next int) {
	for i, m := range page {
		switch {
		case m.ID != odd:
			shown = append(shown, m)
		case i+1 == len(page):
			return shown, m.ID - 1
		default:
			return append(shown, page[i+1], m), m.ID + 1
		}
	}
	return shown, since + len(page)
}

func changes(since int, page []message) (shown []message, next int) {
	for _, m := range page {
		if m.ID == odd {
			m.Message = "?"
		}
		shown = append(shown, m)
	}
	return shown, since + len(page)
}

func standsStill(since int, page []message) (shown []message, next int) {
	for _, m := range page {
		m.Timestamp = 1
		shown = append(shown, m)
	}
	return shown, since + len(page)
}

// goesBack does so often enough that a reader gets to the end of such an answer.
func goesBack() func(since int, page []message) (shown []message, next int) {
	left := enough
	return func(since int, page []message) (shown []message, next int) {
		if len(page) == 0 || left == 0 {
			return page, since + len(page)
		}
		left--
		return page, since
	}
}

func TestEachFaultOfAServerIsFound(t *testing.T) {
	t.Parallel()
	for kind, f := range map[string]faults{
		"LOST":           {page: loses},
		"DOUBLED":        {page: doubles},
		"OUT OF ORDER":   {page: reorders},
		"INVENTED":       {page: changes},
		"TIMESTAMPS":     {page: standsStill},
		"DOUBLED: again": {page: goesBack()},
		"REPEATED":       {keys: true},
		"STALE":          {behind: 1000},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			verdict, err := runBroken(t, f)
			require.ErrorIs(t, err, torture.ErrFaults)
			name, _, _ := strings.Cut(kind, ":")
			require.Contains(t, verdict, "\n"+name+": ")
			require.NotContains(t, verdict, "Nothing was")
		})
	}
}

func TestTheSameWithoutFaultIsFoundGood(t *testing.T) {
	t.Parallel()
	verdict, err := runBroken(t, faults{})
	require.NoError(t, err)
	require.Contains(t, verdict, "Nothing was lost, doubled or reordered.")
}

// A post that is refused is tried until it is there.
func TestRefusedPostsAreRetried(t *testing.T) {
	t.Parallel()
	verdict, err := runBroken(t, faults{refuse: func(posts int) bool { return posts%5 == 1 }})
	require.NoError(t, err)
	require.Regexp(t, `refused with 429 or 503 \d+ times \(for \S+ at most\)`, verdict)
	require.Contains(t, verdict, " and 0 given up")
}
