package attack

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"pubsub/bench/load"
)

const (
	probeEvery = 250 * time.Millisecond
	probeLimit = 15 * time.Second // a probe without an answer counts as this
)

// health is how long a newcomer waits for /healthz.
type health struct {
	times  load.Histogram
	failed int // probes without a 200; they count as the limit
}

// probe asks for /healthz on a fresh connection at a steady pace until ctx ends,
// and waits for the answers.
func (s *scene) probe(ctx context.Context) health {
	var h health
	var timesMu sync.Mutex // guards h
	var probes sync.WaitGroup
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		probes.Go(func() {
			took, ok := s.healthz()
			timesMu.Lock()
			defer timesMu.Unlock()
			h.times.Add(took)
			if !ok {
				h.failed++
			}
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	probes.Wait()
	return h
}

// healthz asks once.
func (s *scene) healthz() (time.Duration, bool) {
	c := &caller{scene: s, from: prober, counts: new(answers)}
	defer c.hangUp()
	begin := time.Now()
	a, err := c.try(context.Background(), probeLimit, s.get("/healthz"))
	if err != nil || a.status != 200 {
		return probeLimit, false
	}
	return time.Since(begin), true
}

// messages is how many bytes of messages the server keeps, 0 if it does not say.
func (s *scene) messages() int64 {
	c := &caller{scene: s, from: prober, counts: new(answers)}
	defer c.hangUp()
	for line := range strings.Lines(string(c.askWithin(context.Background(), probeLimit, s.get("/metrics")).body)) {
		if text, is := strings.CutPrefix(line, "pubsub_history_bytes "); is {
			bytes, _ := strconv.ParseFloat(strings.TrimSpace(text), 64) // 0 if it is no number
			return int64(bytes)
		}
	}
	return 0
}
