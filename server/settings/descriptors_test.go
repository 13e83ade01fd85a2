//go:build unix

package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/settings"
)

// A limit that was set must fit the files that may be open; one that was not is
// made to fit.
func TestLimitsFitTheDescriptors(t *testing.T) {
	defer pubsubtest.MayOpen(t, 1000)()
	c, err := settings.Load(nil, nil)
	require.NoError(t, err)
	require.Equal(t, 936, c.MaxPolls)
	require.Equal(t, 500, c.MaxConnectionsPerAddress)
	require.Equal(t, []string{"this process may open 1000 files, and needs one for each client: raise that, such as with ulimit -n 65536"}, c.Warnings)

	c, err = settings.Load([]string{"-max-polls=5000"}, []string{"PUBSUB_MAX_CONNECTIONS_PER_ADDRESS=0"})
	require.NoError(t, err)
	require.Equal(t, 5000, c.MaxPolls)
	require.Zero(t, c.MaxConnectionsPerAddress)
	require.Len(t, c.Warnings, 2)
	require.Equal(t, "max-polls is 5000, but this process may open 1000 files, one for each client: raise that with ulimit -n 5064, or set at most 936", c.Warnings[1])
}
