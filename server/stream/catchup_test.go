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
	c, page := newCrowd(t)
	m := newMember(c, nil)
	m.streams.hub, m.streams.access, m.address = hub.New(nil, damaged{}), control, netip.MustParseAddr("192.0.2.1")
	require.Panics(t, func() { _, _, _ = m.next(page.Cursors) })
	_, ok := control.HoldFor(m.address, 8<<20)
	require.True(t, ok, "as much as an address may have")
}
