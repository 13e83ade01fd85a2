package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"testing/fstest"
	"time"

	pubsub "pubsub/clients/go"
	"pubsub/server"
	"pubsub/server/settings"
)

// startChat starts a server on a free port. The history keeps so many messages of a channel.
func startChat(history int) (url string, stop func()) {
	set := settings.Default()
	set.HistoryMessages = history
	page := fstest.MapFS{"index.html": {Data: []byte("<title>{{.Channel}}</title>")}}
	s, err := server.New(set, fstest.MapFS{}, page, slog.New(slog.DiscardHandler))
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx, l, nil) }()
	return "http://" + l.Addr().String(), func() {
		cancel()
		if err := errors.Join(<-served, s.Close()); err != nil {
			log.Fatal(err)
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

// A bot that answers everybody who says "ping".
func ExampleClient_Follow() {
	url, stop := startChat(100)
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	c := pubsub.New(url)
	for _, text := range []string{"ping", "is anybody here?"} {
		if _, err := c.Publish(ctx, "room", map[string]any{"nick": "ann", "message": text}); err != nil {
			log.Fatal(err)
		}
	}
	for message, err := range c.Follow(ctx, pubsub.From{Since: "all"}, "room") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d %s: %s\n", message.ID, message.Nick, message.Text)
		if message.Text == "ping" {
			if _, err := c.Publish(ctx, "room", map[string]any{"nick": "bot", "message": "pong"}); err != nil {
				log.Fatal(err)
			}
		}
		if message.Nick == "bot" {
			break
		}
	}
	// Output:
	// 1 ann: ping
	// 2 ann: is anybody here?
	// 3 bot: pong
}

// A reader that comes back after its messages have left the server is told how many.
func ExampleGap() {
	url, stop := startChat(2)
	defer stop()
	ctx := context.Background()

	c := pubsub.New(url)
	var kept string // where the program was before it ended
	for i := range 5 {
		receipt, err := c.Publish(ctx, "room", map[string]any{"message": fmt.Sprint("message ", i+1)})
		if err != nil {
			log.Fatal(err)
		}
		if i == 0 {
			kept = receipt.Cursor
		}
	}
	for message, err := range c.Follow(ctx, pubsub.From{Since: kept}, "room") {
		if gap, ok := errors.AsType[*pubsub.Gap](err); ok {
			fmt.Println(gap)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(message.Text)
		if message.ID == 5 {
			break
		}
	}
	// Output:
	// 2 messages of room are missing: they have expired
	// message 4
	// message 5
}

// One long poll.
func ExampleClient_Poll() {
	url, stop := startChat(100)
	defer stop()
	ctx := context.Background()

	c := pubsub.New(url)
	if _, err := c.Publish(ctx, "room", map[string]any{"message": "hi"}); err != nil {
		log.Fatal(err)
	}
	page, err := c.Poll(ctx, []string{"room"}, "all", time.Second)
	if err != nil {
		log.Fatal(err)
	}
	for _, message := range page.Messages {
		fmt.Println(message.Text)
	}
	// The next poll asks for what comes after page.Cursor.
	// Output: hi
}
