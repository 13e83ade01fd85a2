package torture

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	settled    = 300 * time.Millisecond // that everybody has everything; a double may still come
	tick       = 100 * time.Millisecond
	readyAfter = 3 * time.Second // readers that have no answer until then begin when they can
	perPoster  = 10.0            // posts a second that one poster makes
)

// torture is one run.
type torture struct {
	*options
	name   string // of this run alone: in channels, keys and texts
	record *record
	ready  chan struct{} // a value for each reader that has had an answer
}

func newTorture(o *options) *torture {
	return &torture{
		options: o,
		name:    strconv.FormatInt(time.Now().UnixNano(), 36),
		record:  newRecord(o),
		ready:   make(chan struct{}, o.clients),
	}
}

// run posts until it is time or ctx ends, and lets the readers read the rest.
func (t *torture) run(ctx context.Context, stderr io.Writer) {
	all, end := context.WithCancel(context.WithoutCancel(ctx))
	var readers, progress sync.WaitGroup
	defer progress.Wait()
	defer readers.Wait()
	defer end()
	for i := range t.clients {
		readers.Go(func() { newReader(t, i).run(all) })
	}
	progress.Go(func() { t.progress(all, stderr) })
	t.awaitReaders(ctx)
	posted := t.post(ctx, all)
	t.drain(posted)
	end()
	<-posted
}

// awaitReaders waits until all readers have a place. With a dialect where the first poll
// waits for the first message there is nothing to wait for.
func (t *torture) awaitReaders(ctx context.Context) {
	if t.dialect.expected().ByText {
		return
	}
	late := time.NewTimer(readyAfter)
	defer late.Stop()
	for range t.clients {
		select {
		case <-t.ready:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// post runs the posters until it is time. What it returns is closed when the last post
// is acknowledged or given up.
func (t *torture) post(ctx, all context.Context) (posted <-chan struct{}) {
	posting, stop := context.WithTimeout(ctx, t.last)
	defer stop()
	client := t.client(&http.Transport{MaxIdleConnsPerHost: 64})
	var posters sync.WaitGroup
	n := int(math.Ceil(t.rate / perPoster))
	for i := range n {
		every := time.Duration(float64(time.Second) * float64(n) / t.rate)
		posters.Go(func() { newPoster(t, i, client).run(posting, all, every) })
	}
	<-posting.Done()
	done := make(chan struct{})
	go func() {
		posters.Wait()
		client.CloseIdleConnections()
		close(done)
	}()
	return done
}

// drain returns when all posts are decided and all readers have everything, or when
// nothing more comes.
func (t *torture) drain(posted <-chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last, at, complete := -1, time.Now(), time.Now()
	for range ticker.C {
		progress, behind := t.record.progress()
		if progress != last {
			last, at = progress, time.Now()
		}
		if behind > 0 || !isClosed(posted) {
			complete = time.Now()
		}
		if time.Since(complete) > settled || time.Since(at) > t.patience {
			return
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// progress writes a line each second.
func (t *torture) progress(ctx context.Context, w io.Writer) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			fmt.Fprintf(w, "%4.0fs  %s\n", time.Since(began).Seconds(), t.record.line())
		}
	}
}

// channel is the name of one of the run's channels.
func (t *torture) channel(i int) string { return fmt.Sprintf("torture_%s_%d", t.name, i) }

// chance is a worker's own source of random numbers: what it decides does not depend on
// how fast others are.
func (t *torture) chance(worker int) *rand.Rand { return rand.New(rand.NewPCG(t.seed, uint64(worker))) }

// pause waits, and returns false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
