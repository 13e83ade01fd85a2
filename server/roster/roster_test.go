package roster_test

import (
	"testing"

	"pubsub/server/roster"
	"pubsub/server/roster/rostertest"
)

func TestMemory(t *testing.T) {
	rostertest.Run(t, func(*testing.T) roster.Roster { return roster.NewMemory() })
}
