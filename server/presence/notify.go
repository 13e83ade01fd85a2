package presence

import (
	"context"
	"errors"
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/roster"
)

// Bounds of what is told, so that clients which come and go in many channels do not keep the
// server busy.
const (
	perTick  = 500         // names, and counts, in a second
	maxDirty = 100_000     // channels whose count is to be told
	tellFor  = time.Second // how long telling may take at a time
)

// notifier tells changes on companions. Only its goroutine waits for that.
type notifier struct {
	roster  roster.Roster
	publish func(ctx context.Context, channel string, said Said) error
	wake    chan struct{} // holds a token when queue is not empty

	mu    sync.Mutex // guards the fields below; no other lock is taken under it
	queue []roster.Change
	dirty map[string]struct{} // channels whose count is to be told
	left  int                 // how many changes may still be told by name in this second
}

func newNotifier(r roster.Roster, publish func(context.Context, string, Said) error) *notifier {
	return &notifier{roster: r, publish: publish, wake: make(chan struct{}, 1), dirty: make(map[string]struct{}), left: perTick}
}

// tell makes changes be told soon: by name if there are not too many, otherwise by a count.
func (t *notifier) tell(changes []roster.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range changes {
		if c.Named && t.left > 0 {
			t.left--
			t.queue = append(t.queue, c)
		} else {
			t.mark(c.Channel)
		}
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// mark makes the count of a channel be told. mu is held.
func (t *notifier) mark(channel string) {
	if len(t.dirty) < maxDirty {
		t.dirty[channel] = struct{}{}
	}
}

// run tells until ctx ends, and then the rest of the names. Each time it tells for tellFor at
// most: if the log is slow, names would be old news. That also bounds how long run takes to
// end.
func (t *notifier) run(ctx context.Context) {
	goesOn := context.WithoutCancel(ctx)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-t.wake:
			within(goesOn, t.tellNames)
		case <-tick.C:
			within(ctx, t.tellCounts)
		case <-ctx.Done():
			within(goesOn, t.tellNames)
			return
		}
	}
}

func within(ctx context.Context, tell func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, tellFor)
	defer cancel()
	tell(ctx)
}

// tellNames tells by name. If that fails or takes too long, counts are told later.
func (t *notifier) tellNames(ctx context.Context) {
	t.mu.Lock()
	queue := t.queue
	t.queue = nil
	t.mu.Unlock()
	for i, c := range queue {
		if ctx.Err() != nil || reachable(t.publish(ctx, c.Channel, saidOf(c))) != nil {
			t.unnamed(queue[i:])
			return
		}
	}
}

// unnamed makes the counts of changes be told instead of their names.
func (t *notifier) unnamed(changes []roster.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range changes {
		t.mark(c.Channel)
	}
}

// tellCounts tells the counts of some channels, each at most once a second.
func (t *notifier) tellCounts(ctx context.Context) {
	channels := t.someDirty()
	for i, channel := range channels {
		told, err := t.tellCount(ctx, channel)
		switch {
		case err != nil: // trying each of them would take too long
			t.markAll(channels[i:])
			return
		case !told:
			t.markAll(channels[i : i+1])
		}
	}
}

func (t *notifier) tellCount(ctx context.Context, channel string) (told bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	count, tell, err := t.roster.Count(ctx, channel)
	if err != nil || !tell {
		return false, err
	}
	return true, reachable(t.publish(ctx, channel, Said{Presence: "count", Count: &count}))
}

// reachable returns the error of a log that cannot be reached. A log with too many channels
// can be: other channels take messages.
func reachable(err error) error {
	if errors.Is(err, history.ErrTooManyChannels) {
		return nil
	}
	return err
}

func (t *notifier) markAll(channels []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, channel := range channels {
		t.mark(channel)
	}
}

// someDirty takes some of the channels whose count is to be told, and begins a new second.
func (t *notifier) someDirty() (channels []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = perTick
	for channel := range t.dirty {
		if len(channels) == perTick {
			break
		}
		channels = append(channels, channel)
		delete(t.dirty, channel)
	}
	return channels
}
