package bus

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// slowBell holds up the PUB for each frame, which no real one may do.
type slowBell struct {
	heard int
	goOn  chan struct{}
}

func (b *slowBell) ring(frame []byte) {
	if frame != nil {
		b.heard++
		<-b.goOn
	}
}

// While the PUB is busy, one ring waits for each channel: a busy channel neither
// fills the PUB nor holds up another.
func TestOneRingOfAChannelWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneShard(t)
		slow := &slowBell{goOn: make(chan struct{})}
		busy, err := b.shards[0].dial(topic("busy"), slow)
		require.NoError(t, err)
		calm, err := b.Subscribe("calm")
		require.NoError(t, err)

		publish := func(channel string, id uint64) { require.NoError(t, b.Publish(channel, id)) }
		publish("busy", 1)
		synctest.Wait()
		for id := range uint64(1000) {
			publish("busy", 2+id)
		}
		publish("calm", 1)
		require.Equal(t, Stats{Connects: 1, Merged: 999, Queued: 2}, b.Stats())
		slow.goOn <- struct{}{}
		slow.goOn <- struct{}{}
		<-calm.Ready()
		require.Equal(t, 2, slow.heard)
		require.Zero(t, b.Stats().Queued)
		require.NoError(t, busy.close())
		calm.Release()
	})
}
