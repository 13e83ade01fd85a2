package version

import (
	"os"
	"regexp"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRevision(t *testing.T) {
	at, changed := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	require.Equal(t, "", revisionIn(nil))
	require.Equal(t, "", revisionIn([]debug.BuildSetting{changed}))
	require.Equal(t, "0123456789ab", revisionIn([]debug.BuildSetting{at}))
	require.Equal(t, "0123456789ab+", revisionIn([]debug.BuildSetting{changed, at}))
}

// The newest release in the changelog is what the program says.
func TestNumberIsTheNewestRelease(t *testing.T) {
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	require.NoError(t, err)
	newest := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+) `).FindSubmatch(changelog)
	require.Equal(t, Number, string(newest[1]))
	require.Regexp(t, `^`+regexp.QuoteMeta(Number)+`( [0-9a-f]{12}\+?)?, go1\.\d+`, String())
}
