// Package check judges what a publish/subscribe server did by a history of it: who
// posted what and was told which id, and who was given what by which poll. It knows
// nothing of HTTP. After the checker for queues in Jepsen (tests/kafka.clj).
//
//	c := check.New(check.Options{})
//	c.Feed(check.Begun{Post: 1, Channel: "room", Text: "one"})
//	c.Feed(check.Acknowledged{Post: 1, Place: check.Place{Epoch: "a", ID: 1}})
//	c.Feed(check.Answered{Reader: 1, Channel: "room", …})
//	verdict := c.Verdict()
//
// Operations are fed in the order in which they happened at the client: a post begins
// before it is sent, and an answer is fed after it was read. So what is fed first was
// certainly not caused by what is fed later.
//
// Read history.go first, then ids.go, which judges servers that number their messages,
// and texts.go, which judges those that do not.
package check
