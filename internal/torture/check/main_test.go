package check_test

import (
	"os"
	"testing"

	"pubsub/internal/pubsubtest"
)

func TestMain(m *testing.M) {
	pubsubtest.ShortSize("rapid.checks=500") // of which the short size leaves a fifth
	os.Exit(m.Run())
}
