package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pubsub/bench/target"
)

// secure is bench tls: what TLS and HTTP/2 cost streams and polls.
func secure(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("tls", `Opens streams, or polls, weighs them when they have been silent, posts, and prints what
each delivery took of the server: plain, under TLS, and with HTTP/2; of this server, and of
the floor, which has a goroutine for each, and a channel of Go for each stream. Both have
the same certificate.`, stderr)
	var work secureWork
	f.IntVar(&work.clients, "clients", 1000, "how many streams or polls")
	f.IntVar(&work.messages, "messages", 100, "how many are posted; each when all have the one before")
	f.DurationVar(&work.quiet, "quiet", 12*time.Second, "how long nothing happens before the clients are weighed")
	f.BoolVar(&work.polls, "polls", false, "polls in place of streams")
	rounds := f.Int("rounds", 3, "how often everything is done")
	if err := parse(f, args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	specs, _, err := target.Peers(ctx, []string{"pubsub", "floor"}, dir, "")
	if err != nil {
		return err
	}
	var names []string
	costs := map[string][]cost{}
	for round := range *rounds {
		for _, spec := range specs {
			for _, line := range []string{"plain", "TLS", "HTTP/2"} {
				one, err := work.run(ctx, spec, line)
				if err != nil {
					return err
				}
				name := fmt.Sprintf("| %s | %s |", spec.Name, line)
				fmt.Fprintln(stderr, name, one)
				if costs[name] = append(costs[name], one); round == 0 {
					names = append(names, name)
				}
			}
		}
	}
	what := map[bool]string{false: "stream", true: "poll"}[work.polls]
	fmt.Fprintf(stdout, "%d clients, medians of %d rounds:\n\n|  | line | CPU a delivery | memory a %s |\n|---|---|---|---|\n", work.clients, *rounds, what)
	for _, name := range names {
		fmt.Fprintln(stdout, name, middle(costs[name]))
	}
	return nil
}

// secureWork is what bench tls does.
type secureWork struct {
	clients, messages int
	quiet             time.Duration
	polls             bool
}

// cost is what a server took.
type cost struct {
	cpu    time.Duration // of a delivery
	memory int64         // bytes of a stream
}

func (c cost) String() string {
	return fmt.Sprintf("%.1f µs | %.1f KB |", float64(c.cpu)/1e3, float64(c.memory)/1e3)
}

func middle(all []cost) cost {
	half := len(all) / 2
	byCPU := slices.SortedFunc(slices.Values(all), func(a, b cost) int { return cmp.Compare(a.cpu, b.cpu) })
	byMemory := slices.SortedFunc(slices.Values(all), func(a, b cost) int { return cmp.Compare(a.memory, b.memory) })
	return cost{byCPU[half].cpu, byMemory[half].memory}
}

func (w secureWork) run(ctx context.Context, spec target.Spec, line string) (cost, error) {
	scheme := "http://"
	if line != "plain" {
		scheme = "https://"
	}
	t, err := target.Start(ctx, spec.WithCertificate(line != "plain"))
	if err != nil {
		return cost{}, err
	}
	defer t.Stop()
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	c := client{http: clientOf(line), url: scheme + t.Addr.String()}
	before := t.Memory()
	for range w.clients {
		if err := w.read(ctx, &c, &readers); err != nil {
			return cost{}, err
		}
	}
	select {
	case <-time.After(w.quiet):
	case <-ctx.Done():
		return cost{}, ctx.Err()
	}
	held, cpu := t.Memory()-before, t.CPU()
	for n := range w.messages {
		if err := c.post(); err != nil {
			return cost{}, err
		}
		if err := c.await(int64((n + 1) * w.clients)); err != nil {
			return cost{}, fmt.Errorf("%s, %s: %w", spec.Name, line, err)
		}
		<-time.After(50 * time.Millisecond) // until all have asked again
	}
	return cost{(t.CPU() - cpu) / time.Duration(w.messages*w.clients), held / int64(w.clients)}, nil
}

// read begins to read in the background.
func (w secureWork) read(ctx context.Context, c *client, readers *sync.WaitGroup) error {
	if w.polls {
		readers.Go(func() { c.poll(ctx) })
		return nil
	}
	stream, err := c.get(ctx, "/sub/bench", "text/event-stream")
	if err != nil {
		return err
	}
	readers.Go(func() { c.count(stream) })
	return nil
}

// client is all clients of a server.
type client struct {
	http *http.Client
	url  string
	got  atomic.Int64 // messages
}

func clientOf(line string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the certificate signs itself
		ForceAttemptHTTP2: line == "HTTP/2", MaxIdleConnsPerHost: 1 << 20,
		ReadBufferSize: 2 << 10, WriteBufferSize: 1 << 10,
	}}
}

func (c *client) get(ctx context.Context, path, accept string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s was answered %s", path, resp.Status)
	}
	return resp.Body, nil
}

// marker is in each message once.
const marker = "delivered"

// count counts the messages of a stream until it ends. Each comes in one piece.
func (c *client) count(stream io.ReadCloser) {
	defer stream.Close()
	var b [2 << 10]byte
	for {
		n, err := stream.Read(b[:])
		c.got.Add(int64(strings.Count(string(b[:n]), marker)))
		if err != nil {
			return
		}
	}
}

// poll reads by polls until ctx ends.
func (c *client) poll(ctx context.Context) {
	for since := "now"; ctx.Err() == nil; {
		answer, err := c.get(ctx, "/sub/bench?timeout=60&since="+since, "application/json")
		if err != nil {
			continue
		}
		var page struct {
			Messages []json.RawMessage
			Cursor   string
		}
		if json.NewDecoder(answer).Decode(&page) == nil {
			since = page.Cursor
			c.got.Add(int64(len(page.Messages)))
		}
		answer.Close()
	}
}

func (c *client) post() error {
	resp, err := c.http.Post(c.url+"/pub/bench", "application/json", strings.NewReader(`{"nick":"bench","message":"`+marker+`"}`))
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("a message was answered %s", resp.Status)
	}
	return nil
}

// await waits until so many messages have come.
func (c *client) await(want int64) error {
	for end := time.Now().Add(time.Minute); c.got.Load() < want; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d messages came", c.got.Load(), want)
		}
	}
	return nil
}
