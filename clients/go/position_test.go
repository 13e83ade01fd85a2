package pubsub

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A reader in the midst of a page had the first messages after its cursor. They are neither
// missing to it where they have expired meanwhile, nor given to it again.
func TestGapsAfterAPartOfAPage(t *testing.T) {
	for _, c := range []struct {
		at     string
		reason string
		missed uint64
		told   bool
		want   uint64 // missed, as the reader is told
		after  string
	}{
		{"e-1", "expired", 5, true, 5, "e-1"},
		{"e-1+3", "expired", 5, true, 2, "e-1"},
		{"e-1+5", "expired", 5, false, 0, "e-1"},
		{"e-1+7", "expired", 5, false, 0, "e-1+2"},
		{"e-1", "expired", 0, true, 0, "e-1"}, // it is the server that knows
		{"e-1+7", "restarted", 0, true, 0, "e-1"},
		{"e-1+7", "ahead", 0, true, 0, "e-1"},
	} {
		at, err := parsePosition("f-9,"+c.at, 2)
		require.NoError(t, err)
		gap := at.pass(1, &Gap{Reason: c.reason, Missed: c.missed})
		require.Equal(t, c.told, gap != nil, "%+v", c)
		if gap != nil {
			require.Equal(t, c.want, gap.Missed, "%+v", c)
		}
		require.Equal(t, "f-9,"+c.after, at.String(), "%+v", c)
	}
}

// had says so for as many messages as the reader has, and then no more.
func TestMessagesThatTheReaderHas(t *testing.T) {
	at, err := parsePosition("f-9,e-1+2", 2)
	require.NoError(t, err)
	require.Equal(t, "f-9,e-1", at.since())
	require.True(t, at.had(1))
	require.False(t, at.had(0))
	require.True(t, at.had(1))
	require.False(t, at.had(1))
	require.Equal(t, "f-9,e-1", at.String())
}
