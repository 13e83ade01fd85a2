package clients_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// Each client is here under the name that it is given, in each of its ways.
func TestPresence(t *testing.T) {
	t.Parallel()
	s := pubsubtest.Start(t)
	var names []string
	for _, d := range drivers {
		for _, way := range d.ways {
			name := fmt.Sprint(d.name, " & ", way)
			names = append(names, name)
			cmd := d.read(t, s.URL.String(), way, "now", "room", "room:presence")
			cmd.Env = append(cmd.Environ(), "PRESENCE="+name)
			if d.name == "go" {
				cmd.Args = slices.Insert(cmd.Args, 2, "-presence", name)
			}
			startOne(t, name, cmd)
		}
	}
	slices.Sort(names)
	var who struct{ Names []string }
	require.Eventually(t, func() bool {
		require.NoError(t, json.Unmarshal([]byte(s.Get(t, "/presence/room").Body), &who))
		return slices.Equal(who.Names, names)
	}, pubsubtest.Patience, 20*time.Millisecond, "%q", &who.Names)
}
