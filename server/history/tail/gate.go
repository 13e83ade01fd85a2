package tail

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"pubsub/server/history"
)

// Bounds of the reads of the log behind. Further reads wait for their turn, those of each
// address in a lane, and hold nothing meanwhile.
const (
	readsAtOnce    = 64
	readsOfAddress = 8
	turnWithin     = 2 * time.Second // as long as a call may take
)

var errBusy = errors.New("too many others read, or too many of the same address")

// gate bounds the reads that the log behind serves at a time.
type gate struct {
	all chan struct{} // has a token for each read that is through

	mu sync.Mutex // guards of; no other lock is taken under it
	of map[netip.Addr]*lane
}

// lane bounds the reads of one address.
type lane struct {
	through chan struct{}
	reads   int // that wait or are through
}

func newGate() *gate {
	return &gate{all: make(chan struct{}, readsAtOnce), of: make(map[netip.Addr]*lane)}
}

// turn returns the context of a read that waits for its turn.
func turn(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), turnWithin)
}

// errNoNeed is the error of enter when noNeed is closed.
var errNoNeed = errors.New("others have read the same")

// enter waits for the turn of a read, until ctx ends or noNeed is closed, which may be nil.
// Call leave when the read has ended.
func (g *gate) enter(ctx context.Context, by netip.Addr, noNeed <-chan struct{}) (leave func(), err error) {
	leaveLane := func() {}
	if by.IsValid() { // otherwise the server itself reads
		if leaveLane, err = g.enterLane(ctx, by, noNeed); err != nil {
			return nil, err
		}
	}
	if err := take(ctx, g.all, noNeed); err != nil {
		leaveLane()
		return nil, err
	}
	return func() { <-g.all; leaveLane() }, nil
}

func (g *gate) enterLane(ctx context.Context, by netip.Addr, noNeed <-chan struct{}) (leave func(), err error) {
	g.mu.Lock()
	l := g.of[by]
	if l == nil {
		l = &lane{through: make(chan struct{}, readsOfAddress)}
		g.of[by] = l
	}
	l.reads++
	g.mu.Unlock()
	if err := take(ctx, l.through, noNeed); err != nil {
		g.leaveLane(by, l)
		return nil, err
	}
	return func() { <-l.through; g.leaveLane(by, l) }, nil
}

func (g *gate) leaveLane(by netip.Addr, l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.reads--; l.reads == 0 {
		delete(g.of, by)
	}
}

func take(ctx context.Context, tokens chan<- struct{}, noNeed <-chan struct{}) error {
	select {
	case tokens <- struct{}{}:
		return nil
	case <-noNeed:
		return errNoNeed
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", history.ErrAway, errBusy)
	}
}
