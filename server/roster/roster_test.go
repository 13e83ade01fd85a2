package roster_test

import (
	"testing"

	"pubsub/internal/rostertest"
	"pubsub/server/roster"
)

func TestMemory(t *testing.T) {
	rostertest.Run(t, func(*testing.T) roster.Roster { return roster.NewMemory() })
}
