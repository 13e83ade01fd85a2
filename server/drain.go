package server

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"pubsub/server/web"
)

// lingerFor is how long no message must be delivered before a drain takes it that all
// clients have all messages. It is longer than an answer and the next poll take on the
// network.
const lingerFor = 250 * time.Millisecond

// maxLinger bounds how long a drain goes on delivering, also if its timeout is longer: a
// client that polls without end must not hold it up.
const maxLinger = 10 * time.Second

// newcomersGrace is how long connections that have sent nothing stay open once the server
// accepts no more.
const newcomersGrace = 500 * time.Millisecond

// drain stops the server so that every client that waits gets every acknowledged message:
//
//  1. New posts are refused, and those in flight finish.
//  2. Pending polls and new ones are answered at once with what there is, and streams end
//     when they have it. This goes on until no client gets a message any more, or half
//     the drain timeout is over.
//  3. The listener closes. What has not ended at the drain timeout is cut off.
//
// Where other instances have the same log, clients that wait go on with those. So
// everybody is sent there at once, and posts are taken meanwhile: the others have them.
// Those in flight end before Shutdown does.
func (p *parts) drain(front *http.Server, endPolls context.CancelCauseFunc) {
	p.log.Info("draining", "polling", p.hub.Waiting(), "streams", p.streams.Open())
	limit, cancel := p.drainLimit(1)
	defer cancel()
	if p.store.isShared() {
		p.posts.Gate.Announce()
	} else {
		p.closeGate()
	}
	endPolls(web.ErrDraining)
	p.polls.Drain()
	var streams sync.WaitGroup
	streams.Go(p.drainStreams)
	if p.store.isShared() {
		<-time.After(lingerFor) // for proxies that look at /readyz, or send what they had begun to
	} else {
		p.linger()
	}
	streams.Wait()
	// Browsers open connections that they may need later. Shutdown would wait five
	// seconds for each of those to send something.
	hurry := time.AfterFunc(newcomersGrace, p.conns.CloseNewcomers)
	defer hurry.Stop()
	if err := errors.Join(front.Shutdown(limit), p.conns.Drain(limit)); err != nil {
		p.log.Warn("requests were cut off that had not ended in the drain timeout", "error", err)
		_ = front.Close() // an error would change nothing
	}
}

// closeGate refuses posts, and waits for those in flight.
func (p *parts) closeGate() {
	limit, cancel := p.drainLimit(2) // a slow log must not take all the time
	defer cancel()
	p.posts.Gate.Close(limit)
}

// drainStreams ends all streams.
func (p *parts) drainStreams() {
	limit, cancel := p.drainLimit(2)
	defer cancel()
	p.streams.Drain(limit)
}

// linger waits until no message has been delivered for lingerFor.
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

// drainLimit returns a context that ends after the drain timeout divided by n; a timeout
// of 0 never ends.
func (p *parts) drainLimit(n int) (context.Context, context.CancelFunc) {
	if p.settings.DrainTimeout == 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), p.settings.DrainTimeout/time.Duration(n))
}
