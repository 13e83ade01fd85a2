package presence

import (
	"context"
	"slices"
	"sync"
	"time"

	"pubsub/server/roster"
)

// syncer passes changes to the roster, and the roster's changes to the notifier. One goroutine
// uses it.
type syncer struct {
	local    *local
	roster   roster.Roster
	shared   roster.Shared // nil if only this process uses the roster
	notifier *notifier
	count    func([]roster.Change)

	again   bool      // the roster may lack something, so everybody is put again
	putAt   time.Time // when everybody was last put
	sweepAt time.Time // no sweep before this time
}

// batch is how many people are passed to the roster at a time.
const batch = 500

func (k *syncer) run(ctx context.Context) {
	ears, mute := context.WithCancel(context.WithoutCancel(ctx))
	var telling sync.WaitGroup
	telling.Go(func() { k.notifier.run(ears) })
	defer telling.Wait()
	defer mute()
	if k.shared != nil {
		k.putAt = time.Now()
		k.doubt()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-k.local.changes.wake:
			k.pass(ctx)
		case now := <-tick.C:
			k.local.expire(now)
			k.pass(ctx)
			k.share(ctx, now)
		case <-ctx.Done():
			k.end(context.WithoutCancel(ctx))
			return
		}
	}
}

// pass passes the changes since the last call to the roster.
func (k *syncer) pass(ctx context.Context) {
	all, lost, done := k.local.take()
	defer done()
	k.again = k.again || lost
	for len(all) > 0 && !k.again {
		n := alike(all)
		k.give(ctx, all[0].joined, all[:n])
		all = all[n:]
	}
}

// alike returns how many of the first changes are of one kind, at most a batch.
func alike(all []change) int {
	for i := range all {
		if i == batch || all[i].joined != all[0].joined {
			return i
		}
	}
	return len(all)
}

func (k *syncer) give(ctx context.Context, joined bool, all []change) {
	people := make([]roster.Person, len(all))
	for i := range all {
		people[i] = all[i].Person
	}
	to := k.roster.Take
	if joined {
		to = k.roster.Put
	}
	k.told(to(ctx, people))
}

// told handles the result of a call of the roster. It returns false if the roster cannot be
// reached.
func (k *syncer) told(changes []roster.Change, err error) bool {
	k.count(changes)
	k.notifier.tell(changes)
	if err != nil {
		k.again = true
		k.doubt()
	}
	return err == nil
}

// doubt delays the next sweep until every process has had time to put its people again. While
// the roster was away, their leases went on.
func (k *syncer) doubt() {
	if k.shared != nil {
		k.sweepAt = time.Now().Add(k.shared.Lease() / 2)
	}
}

// share does what a shared roster needs: now and then it puts everybody again, and sweeps.
func (k *syncer) share(ctx context.Context, now time.Time) {
	if k.shared == nil {
		return
	}
	if k.again || now.Sub(k.putAt) >= k.shared.Lease()/3 {
		k.again = !k.putAll(ctx)
		k.putAt = now
	}
	for more := !k.again && now.After(k.sweepAt); more; {
		var changes []roster.Change
		var err error
		changes, more, err = k.shared.Sweep(ctx)
		if !k.told(changes, err) {
			return
		}
	}
}

func (k *syncer) putAll(ctx context.Context) bool {
	for people := range slices.Chunk(k.local.all(), batch) {
		if !k.told(k.roster.Put(ctx, people)) {
			return false
		}
	}
	return true
}

// endWithin bounds how long end takes. Leases that are not released in this time expire
// later.
const endWithin = 2 * time.Second

// end gives the people of this process [Grace] to come back to another one.
func (k *syncer) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	k.pass(ctx)
	k.local.end()
	if k.shared == nil {
		return
	}
	for people := range slices.Chunk(k.local.all(), batch) {
		if k.shared.Release(ctx, people, k.local.options.Grace) != nil {
			return
		}
	}
}
