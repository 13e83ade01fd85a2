package presence_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/presence"
	"pubsub/server/roster"
)

// Where the log takes no more channels, what happens in those that it has is told all the
// same, by name.
func TestALogWithTooManyChannels(t *testing.T) {
	log := memory.New(history.Options{Channels: 1})
	defer log.Close()
	bubbleOver(t, log, roster.NewMemory(), presence.Options{}, func(t *testing.T, p *place) {
		p.enter(t, "ann", room)
		synctest.Wait()
		require.ErrorIs(t, p.Typing(t.Context(), home, "full", "eve"), history.ErrTooManyChannels)
		for i := range 10 {
			p.enter(t, "eve", fmt.Sprint(i))
		}
		p.enter(t, "bob", room)
		time.Sleep(time.Minute)
		require.Equal(t, []string{"join ann 1", "join bob 2"}, p.told(t))
		require.Equal(t, "1 eve", p.who(t, "9"))
	})
}
