package torture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What stands between epoch and id is not the test's business.
func TestCursorsAreTakenApart(t *testing.T) {
	for _, each := range []string{"abc-12", "abc.x7-12"} {
		require.Equal(t, "abc", epoch(each))
		require.Equal(t, uint64(12), idOf(each))
	}
	require.Zero(t, idOf(""))
}
