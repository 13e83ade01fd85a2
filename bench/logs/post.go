package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"pubsub/bench/load"
	"pubsub/bench/target"
)

// posted is what posting gave.
type posted struct {
	rate float64       // posts a second
	cpu  time.Duration // of the target, a post
	p99  time.Duration
}

// post has n clients post one message after another, for a while.
func post(ctx context.Context, t *target.Target, n int, duration time.Duration) (posted, error) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	began, cpu := time.Now(), t.CPU()
	var mu sync.Mutex // guards the next two
	var all load.Histogram
	var failed error
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() {
			took, err := postUntil(ctx, t, i)
			mu.Lock()
			defer mu.Unlock()
			all.Merge(took)
			failed = errors.Join(failed, err)
		})
	}
	clients.Wait()
	count := max(int64(all.Count()), 1)
	return posted{
		rate: float64(count) / time.Since(began).Seconds(),
		cpu:  (t.CPU() - cpu) / time.Duration(count), p99: all.Quantile(0.99),
	}, failed
}

// postUntil posts to a channel of a few until ctx ends.
func postUntil(ctx context.Context, t *target.Target, number int) (*load.Histogram, error) {
	took := new(load.Histogram)
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		began := time.Now()
		err := postOne(client, t, fmt.Sprint("bench-", number%10), "hi")
		if err != nil {
			return took, err
		}
		took.Add(time.Since(began))
	}
	return took, nil
}

func postOne(client *http.Client, t *target.Target, channel, text string) error {
	resp, err := client.PostForm("http://"+t.Addr.String()+"/pub/"+channel, url.Values{"message": {text}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("a post was answered with %d: %s", resp.StatusCode, body)
	}
	return err
}
