package hub_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
)

// newHub returns a hub, and a function that closes what is below it.
func newHub() (h *hub.Hub, end func()) {
	b, err := bus.New(bus.Options{})
	if err != nil {
		log.Fatal(err)
	}
	l := memory.New(history.Options{})
	return hub.New(b, l), func() { b.Close(); l.Close() }
}

func say(h *hub.Hub, channel, text string) {
	object := fmt.Appendf(nil, `{"message":%q}`, text)
	if _, err := h.Publish(context.Background(), history.Post{Channel: channel, Object: object}); err != nil {
		log.Fatal(err)
	}
}

// A follower gets what is there, then waits for what is published.
func ExampleFollower_Next() {
	h, end := newHub()
	defer end()
	say(h, "news", "before")
	f, err := h.Follow([]hub.Place{{Channel: "news", Since: history.All()}}, 10)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	for range 2 {
		page, err := f.Next(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("id", page.Messages[0].ID, "waited:", page.Waited)
		if !page.Waited {
			time.AfterFunc(10*time.Millisecond, func() { say(h, "news", "after") })
		}
	}
	// Output:
	// id 1 waited: false
	// id 2 waited: true
}

// A program that also waits for something else reads the log itself, at first and
// whenever the follower is ready.
func ExampleFollower_Ready() {
	h, end := newHub()
	defer end()
	f, err := h.Follow([]hub.Place{{Channel: "news"}}, 10)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	f.SetTimeout(time.Minute)

	page, err := f.Read(context.Background())
	fmt.Println("first read:", err)
	say(h, "news", "hi")
	interrupted := make(chan struct{})
	for errors.Is(err, hub.ErrNothing) {
		select {
		case <-f.Ready():
			page, err = f.Read(context.Background())
		case <-interrupted:
			return
		}
	}
	fmt.Println("then:", len(page.Messages), "message")
	// Output:
	// first read: there is nothing yet
	// then: 1 message
}
