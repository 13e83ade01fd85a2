// Package pubsub is a client of the server pubsub, for programs in Go. It reads channels
// and publishes to them, and loses nothing on the way:
//
//	c := pubsub.New("http://127.0.0.1:8080")
//	for message, err := range c.Follow(ctx, pubsub.From{Since: "all"}, "room", "news") {
//		if gap, ok := errors.AsType[*pubsub.Gap](err); ok {
//			log.Print(gap) // some messages are gone for good; the loop goes on
//			continue
//		}
//		if err != nil {
//			return err // the last turn of the loop
//		}
//		fmt.Println(message.Nick, message.Text)
//	}
//
// follow.go is the loop that goes on after whatever happens; poll.go, sse.go and socket.go
// are the three ways in which it asks. position.go knows where a reader is, publish.go
// posts, and backoff.go says how long to wait after a failure.
package pubsub
