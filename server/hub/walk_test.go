package hub_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// Who has a part of a page is given the rest of it, and never goes back.
func TestRestOfAPage(t *testing.T) {
	at := func(id uint64) history.Cursor {
		return history.Cursor{Epoch: "e", ID: id, Check: history.CheckOf(time.Unix(int64(id), 0))}
	}
	page := &hub.Page{Starts: []history.Cursor{at(2)}, Cursors: []history.Cursor{at(5)}}
	for id := range uint64(3) {
		page.Messages = append(page.Messages, history.Message{ID: id + 3, Time: time.Unix(int64(id+3), 0)})
	}
	for id, want := range map[uint64]struct {
		ids []uint64
		end uint64
	}{
		2: {[]uint64{3, 4, 5}, 5},
		3: {[]uint64{4, 5}, 5},
		5: {nil, 5},
		7: {nil, 7}, // it has read further than the page
	} {
		rest, ok := page.Rest([]history.Cursor{at(id)})
		require.True(t, ok)
		var ids []uint64
		for _, m := range rest.Messages {
			ids = append(ids, m.ID)
		}
		require.Equal(t, want.ids, ids)
		require.Equal(t, []history.Cursor{at(want.end)}, rest.Cursors)
		require.Equal(t, []history.Cursor{at(id)}, rest.Starts)
	}

	other, unlike, unchecked := at(4), at(4), at(4)
	other.Epoch, unlike.Check, unchecked.Check = "f", at(5).Check, 0
	for name, place := range map[string]history.Cursor{"before the page": at(1), "another log": other, "another message": unlike} {
		_, ok := page.Rest([]history.Cursor{place})
		require.False(t, ok, name)
	}
	_, ok := page.Rest([]history.Cursor{unchecked})
	require.True(t, ok)
	page.Gap = &history.Gap{Reason: history.Expired, Missed: 1}
	_, ok = page.Rest([]history.Cursor{at(3)})
	require.False(t, ok, "who has no gap is not told of one")
}
