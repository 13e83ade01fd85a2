package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"testing/fstest"

	"pubsub/server"
	"pubsub/server/settings"
)

// A whole server on a free port. A client posts a message, and polls for it.
func Example() {
	templates := fstest.MapFS{"index.html": {Data: []byte("<title>{{.Channel}}</title>")}}
	s, err := server.New(settings.Default(), fstest.MapFS{}, templates, slog.New(slog.DiscardHandler))
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx, l, nil) }()

	chat := "http://" + l.Addr().String()
	posted, err := http.PostForm(chat+"/pub", url.Values{"nick": {"ann"}, "message": {"hi"}})
	if err != nil {
		log.Fatal(err)
	}
	posted.Body.Close()

	polled, err := http.Get(chat + "/sub?since=all") // waits if there is no message
	if err != nil {
		log.Fatal(err)
	}
	var page struct {
		Messages []struct{ Nick, Message string }
		Cursor   string // the next poll has since=Cursor
	}
	if err := json.NewDecoder(polled.Body).Decode(&page); err != nil {
		log.Fatal(err)
	}
	polled.Body.Close()
	fmt.Println(posted.Status, page.Messages)

	stop()
	fmt.Println("served:", <-served)
	fmt.Println("closed:", s.Close())
	// Output:
	// 200 OK [{ann hi}]
	// served: <nil>
	// closed: <nil>
}
