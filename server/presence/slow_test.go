package presence_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/presence"
	"pubsub/server/roster"
)

// slowly is how long a call takes of a log or a roster that is far away.
const slowly = 300 * time.Millisecond

func wait(ctx context.Context) error {
	select {
	case <-time.After(slowly):
		return nil
	case <-ctx.Done():
		return history.ErrAway
	}
}

type slowLog struct{ history.Log }

func (l slowLog) Append(ctx context.Context, post history.Post) (history.Receipt, error) {
	if err := wait(ctx); err != nil {
		return history.Receipt{}, err
	}
	return l.Log.Append(ctx, post)
}

// slowRoster is a shared one that nobody else has.
type slowRoster struct{ *roster.Memory }

func (slowRoster) Lease() time.Duration { return presence.Lease }

func (slowRoster) Release(ctx context.Context, _ []roster.Person, _ time.Duration) error {
	return wait(ctx)
}

func (slowRoster) Sweep(ctx context.Context) ([]roster.Change, bool, error) { return nil, false, nil }

// Where each call takes long, what is told by name is no old news, and an end is no wait
// for all of it.
func TestASlowLog(t *testing.T) {
	log := memory.New(history.Options{})
	defer log.Close()
	bubbleOver(t, slowLog{log}, slowRoster{roster.NewMemory()}, presence.Options{}, func(t *testing.T, p *place) {
		const channels = 20_000
		for i := range channels {
			p.enter(t, "ann", fmt.Sprint(i))
		}
		time.Sleep(30 * time.Second)
		names := 0
		for i := range channels {
			for _, one := range p.said(t, fmt.Sprint(i)) {
				if one.Name != "" {
					names++
				}
			}
		}
		require.LessOrEqual(t, names, 10, "the others are counted, when it is their turn")
		began := time.Now()
		p.end()
		require.Less(t, time.Since(began), 5*time.Second)
	})
}
