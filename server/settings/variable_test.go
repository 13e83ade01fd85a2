package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/settings"
)

// A platform writes REDIS_URL; what it does not say can be added.
func TestOptionsBehindAVariable(t *testing.T) {
	for history, want := range map[string]string{
		"env:URL":                "rediss://host",
		"env:URL?tls=unverified": "rediss://host?tls=unverified",
		"env:MORE?b=2":           "redis://host?a=1&b=2",
	} {
		s, err := settings.Load(nil, []string{"PUBSUB_HISTORY=" + history, "URL=rediss://host", "MORE=redis://host?a=1"})
		require.NoError(t, err)
		require.Equal(t, want, s.History)
	}
	_, err := settings.Load(nil, []string{"PUBSUB_HISTORY=env:NONE?tls=unverified"})
	require.ErrorContains(t, err, "no variable NONE")
}
