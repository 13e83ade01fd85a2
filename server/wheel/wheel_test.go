package wheel

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type wait struct {
	Entry
	due, told time.Time
	removed   bool
}

func (w *wait) Due() { w.told = time.Now() }

// Each is told within an eighth of a second of its time, or not at all if it is taken out,
// also where the wheel goes round.
func TestEachIsToldInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w Wheel
		var all []*wait
		for range 2000 {
			for range rand.IntN(4) {
				after := rand.N(5 * time.Minute)
				one := &wait{due: time.Now().Add(after)}
				all = append(all, one)
				w.Add(&one.Entry, after, one)
			}
			if len(all) > 0 {
				one := all[rand.IntN(len(all))]
				one.removed = w.Remove(&one.Entry) || one.removed
			}
			time.Sleep(rand.N(200 * time.Millisecond))
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		for _, one := range all {
			if one.removed {
				require.Zero(t, one.told)
				continue
			}
			late := one.told.Sub(one.due)
			require.True(t, 0 <= late && late <= tick, "%v late", late)
		}
		require.Zero(t, w.count)
		require.Zero(t, w.next)
	})
}

type once chan struct{}

func (o once) Due() { close(o) }

func TestManyUseItAtOnce(t *testing.T) {
	t.Parallel()
	var w Wheel
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for n := range 1000 {
				var e Entry
				told := make(once)
				w.Add(&e, rand.N(time.Millisecond), told)
				if n%250 > 0 && w.Remove(&e) {
					continue
				}
				<-told
				require.False(t, w.Remove(&e))
			}
		})
	}
	users.Wait()
}
