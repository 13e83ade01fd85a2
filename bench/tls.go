package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pubsub/bench/target"
)

// secure is bench tls: streams under TLS beside a goroutine and a channel for each.
func secure(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("tls", `Opens Server-Sent Events under TLS, weighs them when they have been silent, posts, and
prints what each delivery took of the server: of this one, and of the floor, which has a
goroutine and a channel of Go for each stream. Both have the same certificate.`, stderr)
	var work secureWork
	f.IntVar(&work.streams, "streams", 1000, "how many are open")
	f.IntVar(&work.messages, "messages", 100, "how many are posted")
	f.Float64Var(&work.rate, "rate", 20, "messages a second")
	f.DurationVar(&work.quiet, "quiet", 12*time.Second, "how long nothing happens before the streams are weighed")
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
	specs[0].Command += " -tls-cert {dir}/cert.pem -tls-key {dir}/key.pem"
	specs[1].Command += " -queue 16 -cert {dir}/cert.pem -key {dir}/key.pem"
	costs := map[string][]cost{}
	for range *rounds {
		for _, spec := range specs {
			spec.Prepare = func(dir string, _ int) error { return certify(dir) }
			for _, work.http2 = range []bool{false, true} {
				one, err := work.run(ctx, spec)
				if err != nil {
					return err
				}
				name := fmt.Sprintf("| %s | %s |", spec.Name, map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[work.http2])
				fmt.Fprintln(stderr, name, one)
				costs[name] = append(costs[name], one)
			}
		}
	}
	fmt.Fprintf(stdout, "%d streams, medians of %d rounds:\n\n|  | over | CPU a delivery | memory a stream |\n|---|---|---|---|\n", work.streams, *rounds)
	for name, all := range costs {
		fmt.Fprintln(stdout, name, middle(all))
	}
	return nil
}

// secureWork is what bench tls does.
type secureWork struct {
	streams, messages int
	rate              float64
	quiet             time.Duration
	http2             bool
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

func (w secureWork) run(ctx context.Context, spec target.Spec) (cost, error) {
	t, err := target.Start(ctx, spec)
	if err != nil {
		return cost{}, err
	}
	defer t.Stop()
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	url := "https://" + t.Addr.String()
	client := w.client()
	before := t.Memory()
	var got atomic.Int64
	for range w.streams {
		stream, err := open(ctx, client, url+"/sub/bench")
		if err != nil {
			return cost{}, err
		}
		readers.Go(func() { count(stream, &got) })
	}
	select {
	case <-time.After(w.quiet):
	case <-ctx.Done():
		return cost{}, ctx.Err()
	}
	held, cpu := t.Memory()-before, t.CPU()
	if err := w.post(client, url+"/pub/bench"); err != nil {
		return cost{}, err
	}
	want := int64(w.streams * w.messages)
	for end := time.Now().Add(time.Minute); got.Load() < want; <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			return cost{}, fmt.Errorf("%s delivered %d of %d", spec.Name, got.Load(), want)
		}
	}
	return cost{(t.CPU() - cpu) / time.Duration(want), held / int64(w.streams)}, nil
}

func (w secureWork) client() *http.Client {
	config := &tls.Config{InsecureSkipVerify: true} // the certificate signs itself
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: w.http2, ReadBufferSize: 2 << 10, WriteBufferSize: 1 << 10,
	}}
}

func open(ctx context.Context, client *http.Client, url string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("a stream was answered %s", resp.Status)
	}
	return resp.Body, nil
}

// marker is in each message once.
const marker = "delivered"

// count counts messages until the stream ends. Each comes in one piece.
func count(stream io.ReadCloser, got *atomic.Int64) {
	defer stream.Close()
	var b [2 << 10]byte
	for {
		n, err := stream.Read(b[:])
		got.Add(int64(strings.Count(string(b[:n]), marker)))
		if err != nil {
			return
		}
	}
}

func (w secureWork) post(client *http.Client, url string) error {
	each := time.NewTicker(time.Duration(float64(time.Second) / w.rate))
	defer each.Stop()
	for range w.messages {
		<-each.C
		resp, err := client.Post(url, "application/json", strings.NewReader(`{"message":"`+marker+`"}`))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode >= 300 {
			return fmt.Errorf("a message was answered %s", resp.Status)
		}
	}
	return nil
}

// certify writes a certificate for this machine into a folder.
func certify(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
