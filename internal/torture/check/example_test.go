package check_test

import (
	"fmt"

	"pubsub/internal/torture/check"
)

// A reader goes on after the second message, and never had the first.
func ExampleChecker() {
	c := check.New(check.Options{})
	for n, text := range []string{"one", "two"} {
		c.Feed(check.Begun{Post: n, Channel: "room", Text: text})
		c.Feed(check.Acknowledged{Post: n, Place: check.Place{Epoch: "a", ID: uint64(n + 1)}})
	}
	c.Feed(check.Answered{Reader: 1, Channel: "room", Next: check.Place{Epoch: "a"}})
	c.Feed(check.Answered{
		Reader: 1, Channel: "room",
		Messages: []check.Message{{ID: 2, Timestamp: 1_800_000_000.5, Text: "two"}},
		Next:     check.Place{Epoch: "a", ID: 2},
	})
	verdict := c.Verdict()
	fmt.Println(verdict.Counts.Posted, "posted,", verdict.Counts.Read, "read")
	for _, kind := range check.Kinds {
		if fault := verdict.Faults[kind]; fault != nil {
			fmt.Println(kind)
		}
	}
	// Output:
	// 2 posted, 1 read
	// LOST: acknowledged, never read by a reader that has read later ones, and not told
	// UNTOLD GAP: a reader went on after messages that it never had, and was not told
}
