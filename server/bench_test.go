package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server"
	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
)

// Compare with benchstat: go test ./server -run '^$' -bench . -count 10

func BenchmarkTakeReleasedSubscription(b *testing.B) {
	bus := openBus(b)
	for b.Loop() {
		sub, err := bus.Subscribe("chat")
		require.NoError(b, err)
		sub.Release()
	}
}

func BenchmarkOpenSubscription(b *testing.B) {
	bus := openBus(b)
	var out []interface{ Release() }
	for b.Loop() {
		sub, err := bus.Subscribe("chat")
		require.NoError(b, err)
		out = append(out, sub)
		if len(out) == 100 { // closing them is part of it
			b.StopTimer()
			for _, sub := range out {
				sub.Release()
			}
			out = nil
			require.NoError(b, bus.Close())
			bus = openBus(b)
			b.StartTimer()
		}
	}
	for _, sub := range out {
		sub.Release()
	}
}

// BenchmarkPendingSubscriptions is what 1,000 goroutines hold that each wait for
// their own SUB, and what stays when they are gone.
func BenchmarkPendingSubscriptions(b *testing.B) {
	const pending = 1000
	bus := openBus(b)
	before, goroutines := heapAndStacks(), runtime.NumGoroutine()
	var waiting, ended sync.WaitGroup
	done := make(chan struct{})
	for b.Loop() {
		waiting.Add(pending)
		for range pending {
			ended.Go(func() {
				sub, err := bus.Subscribe("chat")
				require.NoError(b, err)
				waiting.Done()
				select {
				case <-sub.Ready():
				case <-done:
				}
				sub.Release()
			})
		}
		waiting.Wait()
		b.ReportMetric(float64(heapAndStacks()-before)/pending, "B/poll")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/pending, "goroutines/poll")
		close(done)
		ended.Wait()
		done = make(chan struct{})
	}
}

// heapAndStacks is what heap and stacks take after a collection, in bytes.
func heapAndStacks() int64 {
	runtime.GC()
	runtime.GC() // gives back the stacks that the first has found unused
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc + stats.StackInuse)
}

func openBus(b *testing.B) *bus.Bus {
	bus, err := bus.New(bus.Options{Shards: 1})
	require.NoError(b, err)
	b.Cleanup(func() { _ = bus.Close() })
	return bus
}

// BenchmarkRingAndAnswer is one message to one waiting follower, and back.
func BenchmarkRingAndAnswer(b *testing.B) {
	log := memory.New(history.Options{Messages: 1000})
	defer log.Close()
	h := hub.New(openBus(b), log)
	page, err := h.Read(b.Context(), []hub.Place{{Channel: "chat"}}, 1)
	require.NoError(b, err)
	cursors := make(chan history.Cursor)
	go func() {
		for cursor := page.Cursors[0]; ; cursors <- cursor {
			next, err := h.Follow([]hub.Place{{Channel: "chat", Since: history.After(cursor)}}, 1)
			require.NoError(b, err)
			page, err := next.Next(b.Context())
			next.Close()
			if err != nil {
				close(cursors)
				return
			}
			cursor = page.Cursors[0]
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		_, err := h.Publish(b.Context(), history.Post{Channel: "chat", Object: []byte(`{"message":"hi"}`)})
		require.NoError(b, err)
		<-cursors
	}
}

// BenchmarkAnswerFromLog is a poll that has its answer at once, without sockets.
func BenchmarkAnswerFromLog(b *testing.B) {
	s, err := server.New(open(), static, page, slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	defer s.Close()
	post := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/pub?message=hi", http.NoBody)
	s.ServeHTTP(httptest.NewRecorder(), post)
	r := &http.Request{Method: http.MethodGet, URL: post.URL, Body: http.NoBody, Header: http.Header{}, RemoteAddr: "127.0.0.1:1"}
	r.URL.Path, r.URL.RawQuery = "/sub", "since=all"
	r = r.WithContext(context.Background())
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		require.Equal(b, http.StatusOK, w.Code)
	}
}
