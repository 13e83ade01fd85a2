package stream

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/settings"
)

// damaged is a log that panics when it is read, as a file does that is not whole.
type damaged struct{ history.Log }

func (damaged) Read(context.Context, history.Query) (*history.Page, error) { panic("damaged") }

// Room for a page is given back also if the page cannot be read.
func TestRoomOfAPageThatPanics(t *testing.T) {
	set := settings.Default()
	control, err := access.New(&set, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	m := &member{
		streams: &Streams{hub: hub.New(nil, damaged{}), access: control},
		crowd:   &crowd{channels: []string{"chat"}}, address: netip.MustParseAddr("192.0.2.1"),
	}
	require.Panics(t, func() { _, _, _ = m.next([]history.Cursor{{}}) })
	_, ok := control.HoldFor(m.address, 8<<20)
	require.True(t, ok, "as much as an address may have")
}
