package access_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/access"
	"pubsub/server/settings"
	"pubsub/server/web"
)

// streams are what an address has open; ended is why one of them had to make room.
type streams struct {
	*access.Control
	t     *testing.T
	ended map[string]error
}

func newStreams(t *testing.T, set settings.Settings) *streams {
	control, err := access.New(&set, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return &streams{control, t, make(map[string]error)}
}

// open opens one by an address, and returns the reason of the refusal, or "".
func (s *streams) open(name, address string, channels ...string) (leave func(), refused string) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = address + ":1234"
	leave, err := s.AdmitStream(r, func(cause error) { s.ended[name] = cause }, channels)
	if err != nil {
		require.Nil(s.t, leave)
		problem, is := err.(*web.Problem)
		require.True(s.t, is)
		return nil, problem.Reason
	}
	return leave, ""
}

const x, y, z = "192.0.2.1", "192.0.2.2", "192.0.2.3"

// Who is refused on one of several channels is counted on none.
func TestRefusedOnOneOfSeveralChannels(t *testing.T) {
	set := settings.Default()
	set.MaxPollsPerChannel, set.MaxPollsPerAddress = 1, 4
	s := newStreams(t, set)
	leave, refused := s.open("1", x, "full")
	require.Empty(t, refused)
	for range 10 {
		_, refused = s.open("2", x, "a", "b", "full")
		require.Equal(t, "polls-per-channel", refused)
		require.Equal(t, []string{"full"}, s.Channels())
	}
	leave()
	leave, refused = s.open("3", x, "a", "b", "full")
	require.Empty(t, refused)
	require.Equal(t, []string{"a", "b", "full"}, s.Channels())
	leaveLast, refused := s.open("4", x, "c")
	require.Empty(t, refused)
	_, refused = s.open("5", x, "d")
	require.Equal(t, "polls-per-address", refused)
	leave()
	leaveLast()
	require.Empty(t, s.Channels())
	require.Zero(t, s.WaitedChannels())
	require.Empty(t, s.ended)
}

// A poll that is refused on its last channel has pushed nobody out on the others.
func TestRefusedPollDisplacesNone(t *testing.T) {
	set := settings.Default()
	set.MaxPollsPerChannel, set.MaxPollsPerAddress = 2, 4
	s := newStreams(t, set)
	for name, address := range map[string]string{"1": x, "2": x, "3": y, "4": x} {
		_, refused := s.open(name, address, map[string]string{"1": "greedy", "2": "greedy", "3": "fair", "4": "fair"}[name])
		require.Empty(t, refused)
	}
	_, refused := s.open("5", z, "greedy", "fair")
	require.Equal(t, "polls-per-channel", refused)
	_, refused = s.open("6", z, "greedy", "a", "b", "c", "d")
	require.Equal(t, "polls-per-address", refused)
	require.Empty(t, s.ended)
	_, refused = s.open("7", z, "greedy", "a")
	require.Empty(t, refused)
	require.Len(t, s.ended, 1)
}

// Whoever has more than a newcomer would have makes room, and nobody else: else two of them
// would push each other out for ever.
func TestWhoMakesRoom(t *testing.T) {
	all, channel := settings.Default(), settings.Default()
	all.MaxPolls, channel.MaxPollsPerChannel = 3, 3
	for reason, set := range map[string]settings.Settings{"polls": all, "polls-per-channel": channel} {
		s := newStreams(t, set)
		for name, address := range map[string]string{"x": x, "y": y} {
			_, refused := s.open(name, address, "room")
			require.Empty(t, refused)
		}
		_, refused := s.open("newer x", x, "room")
		require.Empty(t, refused)
		_, refused = s.open("another y", y, "room")
		require.Equal(t, reason, refused, "y would have as many as x")
		require.Empty(t, s.ended)
		leave, refused := s.open("z", z, "room")
		require.Empty(t, refused)
		require.Len(t, s.ended, 1)
		require.Contains(t, s.ended, "x", "the oldest of who has most")
		require.Equal(t, reason, s.ended["x"].(*web.Problem).Reason)
		_, refused = s.open("newest x", x, "room")
		require.Equal(t, reason, refused, "all have one")
		leave()
		_, refused = s.open("newest x", x, "room")
		require.Empty(t, refused)
		require.Len(t, s.ended, 1)
	}
}

// A client that comes back takes the place of its own poll, also where its address has no other place left.
func TestClientThatComesBackAtTheLimitOfItsAddress(t *testing.T) {
	set := settings.Default()
	set.MaxPollsPerAddress, set.MaxPollsPerClient = 1, 1
	s := newStreams(t, set)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = x + ":1234"
	r.Header.Set("X-Client-ID", "ann")
	var ended []int
	var leaves []func()
	for n := range 3 {
		leave, err := s.AdmitStream(r, func(error) { ended = append(ended, n) }, []string{"room"})
		require.NoError(t, err)
		leaves = append(leaves, leave)
	}
	require.Equal(t, []int{0, 1}, ended)
	_, refused := s.open("another", x, "room")
	require.Equal(t, "polls-per-address", refused)
	for _, leave := range leaves {
		leave()
	}
	require.Zero(t, s.WaitedChannels())
}

// A channel whose only poll has just made room for another one there is waited on still.
func TestRoomMadeOnTheSameChannel(t *testing.T) {
	set := settings.Default()
	set.MaxPolls = 2
	s := newStreams(t, set)
	for _, channel := range []string{"a", "b"} {
		_, refused := s.open(channel, x, channel)
		require.Empty(t, refused)
	}
	leave, refused := s.open("z", z, "a")
	require.Empty(t, refused)
	require.Contains(t, s.ended, "a")
	require.True(t, s.Waited("a"))
	require.Equal(t, []string{"a", "b"}, s.Channels())
	leave()
	require.False(t, s.Waited("a"))
}
