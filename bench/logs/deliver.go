package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"pubsub/bench/load"
	"pubsub/bench/target"
)

// How many messages are measured between instances, and how far apart they are: so calm
// that the server gathers none of them.
const (
	deliveries = 300
	apart      = 30 * time.Millisecond
)

// deliver posts to one instance, and measures until a poll at another has each message.
func deliver(ctx context.Context, from, to *target.Target) (*load.Histogram, error) {
	delays := new(load.Histogram)
	poster, poller := &http.Client{Transport: new(http.Transport)}, &http.Client{Transport: new(http.Transport)}
	defer poster.CloseIdleConnections()
	defer poller.CloseIdleConnections()
	cursor, err := poll(ctx, poller, to, "now", 0)
	if err != nil {
		return nil, err
	}
	for range deliveries {
		type answer struct {
			cursor string
			at     time.Time
			err    error
		}
		answered := make(chan answer, 1)
		go func() {
			next, err := poll(ctx, poller, to, cursor, 30)
			answered <- answer{next, time.Now(), err}
		}()
		time.Sleep(apart) // it waits by then
		began := time.Now()
		if err := postOne(poster, from, "between", "hi"); err != nil {
			return nil, err
		}
		a := <-answered
		if a.err != nil {
			return nil, a.err
		}
		delays.Add(a.at.Sub(began))
		cursor = a.cursor
	}
	return delays, nil
}

// poll returns the cursor of an answer.
func poll(ctx context.Context, client *http.Client, t *target.Target, since string, timeout int) (cursor string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/sub/between?since=%s&timeout=%d", t.Addr, since, timeout), nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var page struct{ Cursor string }
	err = json.NewDecoder(resp.Body).Decode(&page)
	return page.Cursor, err
}
