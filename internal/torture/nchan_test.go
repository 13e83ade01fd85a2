package torture_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/torture"
)

// likeNchan answers as nchan does: one message, its time the same for all of a second, and
// its tag the number within that. A reader without a place waits for the next message.
type likeNchan struct {
	mu       sync.Mutex
	channels map[string][]string
	changed  chan struct{}
	loses    int // the number of a message in each channel; 0 is none
}

const anHour = "Sat, 21 Nov 2026 20:00:00 GMT"

func (n *likeNchan) publish(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	n.mu.Lock()
	defer n.mu.Unlock()
	name := r.PathValue("channel")
	n.channels[name] = append(n.channels[name], string(text))
	close(n.changed)
	n.changed = make(chan struct{})
	w.WriteHeader(http.StatusCreated)
}

func (n *likeNchan) poll(w http.ResponseWriter, r *http.Request) {
	place, err := strconv.Atoi(r.Header.Get("If-None-Match"))
	if err != nil || r.Header.Get("If-Modified-Since") != anHour {
		place = -1
	}
	for {
		n.mu.Lock()
		all, changed := n.channels[r.PathValue("channel")], n.changed
		n.mu.Unlock()
		if place < 0 {
			place = len(all)
		}
		if place+1 == n.loses {
			place++
		}
		if place < len(all) {
			w.Header().Set("Last-Modified", anHour)
			w.Header().Set("Etag", strconv.Itoa(place+1))
			fmt.Fprint(w, all[place])
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func startNchan(t *testing.T, loses int) string {
	n := &likeNchan{channels: make(map[string][]string), changed: make(chan struct{}), loses: loses}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /pub/{channel}", n.publish)
	mux.HandleFunc("GET /sub/{channel}", n.poll)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func TestNchanDialect(t *testing.T) {
	t.Parallel()
	args := []string{"-dialect=nchan", "-rate=200", "-cut=0.3", "-channels=2", "-clients=4", "-for=1s"}
	verdict, err := run(t, append(args, startNchan(t, 0))...)
	require.NoError(t, err)
	require.Contains(t, verdict, "Nothing was lost, doubled or reordered.")

	verdict, err = run(t, append(args, startNchan(t, 50))...)
	require.ErrorIs(t, err, torture.ErrFaults)
	require.Contains(t, verdict, "\nLOST: ")
}
