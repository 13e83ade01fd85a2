package server

import (
	"context"
	"net/http"
	"time"

	"pubsub/server/web"
)

// lingerFor is how long nothing must have been handed over before a drain
// believes that everybody has everything: a client's way back and forth.
const lingerFor = 250 * time.Millisecond

// maxLinger is how long a drain lets clients take more at most, whatever its
// timeout: one that asks again and again must not hold it up.
const maxLinger = 10 * time.Second

// newcomersGrace is how long a new connection has for its first byte while the
// server drains.
const newcomersGrace = 500 * time.Millisecond

// drain ends what is under way so that nobody loses anything. New posts are
// refused, and those in flight finish. Then every pending poll, and each that
// still comes, is answered at once with all that was acknowledged, until nobody
// has anything left to get, or half the drain timeout is over. Then the
// listener closes, and what has not ended by the drain timeout is cut off.
func (p *parts) drain(front *http.Server, endPolls context.CancelCauseFunc) {
	p.log.Info("draining", "polling", p.hub.Waiting())
	limit, cancel := p.drainLimit(1)
	defer cancel()
	p.posts.Gate.Close(limit)
	endPolls(web.ErrDraining)
	p.linger()
	// Shutdown waits five seconds for connections that never asked anything,
	// which browsers keep in reserve.
	hurry := time.AfterFunc(newcomersGrace, p.conns.CloseNewcomers)
	defer hurry.Stop()
	if err := front.Shutdown(limit); err != nil {
		p.log.Warn("requests were cut off that had not ended in the drain timeout", "error", err)
		_ = front.Close() // everything has ended, well or not
	}
}

func (p *parts) linger() {
	limit, cancel := p.drainLimit(2)
	defer cancel()
	limit, cancelLinger := context.WithTimeout(limit, maxLinger)
	defer cancelLinger()
	for before := int64(-1); before != p.metrics.Delivered(); {
		before = p.metrics.Delivered()
		select {
		case <-time.After(lingerFor):
		case <-limit.Done():
			return
		}
	}
}

// drainLimit ends after the drain timeout divided by n.
func (p *parts) drainLimit(n int) (context.Context, context.CancelFunc) {
	if p.settings.DrainTimeout == 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), p.settings.DrainTimeout/time.Duration(n))
}
