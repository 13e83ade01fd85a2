package history_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
)

func TestNamesOfCompanions(t *testing.T) {
	names, err := history.ParseChannels("room,room:presence")
	require.NoError(t, err)
	require.Equal(t, []string{"room", history.Companion("room")}, names)
	require.Equal(t, []bool{false, true}, []bool{history.IsCompanion(names[0]), history.IsCompanion(names[1])})
	require.Equal(t, "room", history.RoomOf(names[1]))
	_, err = history.ParseChannels(strings.Repeat("x", 128) + ":presence")
	require.NoError(t, err, "a companion's name may be longer")
	for _, none := range []string{":presence", ".:presence", "room:presence:presence", "room:other", "room:", "room:Presence", "a b:presence"} {
		_, err := history.ParseChannels(none)
		require.ErrorIs(t, err, history.ErrChannel, none)
		_, err = history.ParseChannel(none)
		require.ErrorIs(t, err, history.ErrChannel, none)
	}
	_, err = history.ParseChannel("room:presence")
	require.ErrorIs(t, err, history.ErrCompanion)
}
