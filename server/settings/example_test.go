package settings_test

import (
	"fmt"
	"log"

	"pubsub/server/settings"
)

// A setting is a flag and an environment variable. The flag wins.
func ExampleLoad() {
	args := []string{"-poll-timeout=30s"}
	environ := []string{"PUBSUB_POLL_TIMEOUT=10s", "PUBSUB_HISTORY_MESSAGES=500"}
	set, err := settings.Load(args, environ)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(set.PollTimeout, set.HistoryMessages)
	// Output: 30s 500
}

// The error has a sentence for each setting that is wrong.
func ExampleLoad_wrong() {
	_, err := settings.Load([]string{"-poll-timeout=5"}, []string{"PUBSUB_TRUSTED_HOPS=yes"})
	fmt.Println(err)
	// Output:
	// PUBSUB_TRUSTED_HOPS="yes" must be a number of proxies, such as 1, from 0 to 16
	// -poll-timeout "5" must be a duration from 1s to 1m, such as 22s, or 0 to wait as long as a poll may
}
