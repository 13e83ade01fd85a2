package conformance_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

const (
	pubsub   = "pubsub"
	original = "original"
)

var (
	baseURL = flag.String("base-url", "", "look at the server at this `URL` instead of starting one")
	profile = flag.String("profile", pubsub, "whose answers to expect: pubsub or original")
)

var base site // the server under test

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	pubsubtest.Remove()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if *profile != pubsub && *profile != original {
		return 0, fmt.Errorf("-profile=%s: want %s or %s", *profile, pubsub, original)
	}
	if *baseURL != "" {
		base, err = pubsubtest.At(*baseURL)
		if err != nil {
			return 0, err
		}
		return m.Run(), nil
	}
	if *profile == original {
		return 0, errors.New("-profile=original needs the -base-url of a running original")
	}
	if _, err := pubsubtest.Build(pubsubtest.RaceFlag()...); err != nil {
		return 0, err
	}
	s, err := pubsubtest.Command{Settings: settings}.Launch()
	if err != nil {
		return 0, err
	}
	base = s.Site
	code = m.Run()
	return code, s.Stop(syscall.SIGTERM)
}

// settings of each server that the suite starts: all its clients come from one
// address, and faster than one person.
var settings = []string{"PUBSUB_PUBLISH_RATE=0"}

// ownServers reports whether cases may start servers with settings of their own.
func ownServers(t *testing.T) bool {
	t.Helper()
	if *baseURL != "" {
		t.Log("no cases: they need servers with settings of their own, and -base-url names one that runs")
	}
	return *baseURL == ""
}

// startServer starts a server with the given NAME=value settings; it must end cleanly with the test.
func startServer(t *testing.T, more ...string) site {
	t.Helper()
	require.Empty(t, *baseURL, "ask ownServers first")
	return pubsubtest.Start(t, append(settings[:len(settings):len(settings)], more...)...).Site
}
