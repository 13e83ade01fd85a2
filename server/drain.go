package server

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"pubsub/server/web"
)

// lingerFor is how long a drain waits without delivering any message. Then all clients count
// as up to date. It is longer than an answer and the next poll take on the network.
const lingerFor = 250 * time.Millisecond

// maxLinger bounds how long a drain goes on delivering, whatever its timeout: a client that
// polls without end must not delay it.
const maxLinger = 10 * time.Second

// newcomersGrace is how long connections that have sent nothing stay open after the server
// stops accepting.
const newcomersGrace = 500 * time.Millisecond

// delayDrain makes /readyz answer 503, and serves on for the drain delay. It returns early with
// the error of a listener that fails.
func (p *parts) delayDrain(served <-chan error) error {
	p.leaving.Store(true)
	if p.settings.DrainDelay == 0 {
		return nil
	}
	p.log.Info("asked to stop; serving as before for the drain delay", "delay", p.settings.DrainDelay)
	select {
	case err := <-served:
		return err
	case <-time.After(p.settings.DrainDelay):
		return nil
	}
}

// drain stops the server so that every client that waits gets every acknowledged message:
//
//  1. New posts are refused, and those in flight finish.
//  2. Polls, pending or new, are answered at once with what is there. Streams end when they
//     have it. This goes on until no client gets a message any more, or half of the drain
//     timeout is over.
//  3. The listener closes. Requests that have not ended at the drain timeout are cut off.
//
// With a shared log, clients go on at other instances. So they are sent there at once, and
// posts are admitted meanwhile, as the other instances have them, too. Posts in flight end
// before Shutdown does.
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
		<-time.After(lingerFor) // so that proxies see /readyz, or send requests that they have begun
	} else {
		p.linger()
	}
	streams.Wait()
	// Browsers open connections in advance. Shutdown would wait five seconds for each of them
	// to send something.
	hurry := time.AfterFunc(newcomersGrace, p.conns.CloseUnused)
	defer hurry.Stop()
	if err := errors.Join(front.Shutdown(limit), p.conns.Drain(limit)); err != nil {
		p.log.Warn("requests were cut off that had not ended in the drain timeout", "error", err)
		_ = front.Close() // an error would change nothing
	}
}

// closeGate refuses posts, and waits for those in flight.
func (p *parts) closeGate() {
	limit, cancel := p.drainLimit(2) // so that a slow log does not take all of the time
	defer cancel()
	p.posts.Gate.Close(limit)
}

// drainStreams ends all streams.
func (p *parts) drainStreams() {
	limit, cancel := p.drainLimit(2)
	defer cancel()
	p.streams.Drain(limit)
}

// linger waits until no message was delivered for lingerFor.
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

// drainLimit returns a context that ends after the drain timeout divided by n. A timeout of 0
// never ends.
func (p *parts) drainLimit(n int) (context.Context, context.CancelFunc) {
	if p.settings.DrainTimeout == 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), p.settings.DrainTimeout/time.Duration(n))
}
