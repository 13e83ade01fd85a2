package clients_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// posts are how many messages each driver posts to each channel.
func posts() int { return pubsubtest.Size(50, 20) }

// Every client, in each of its ways, reads every message once and in order, though its
// connections are cut and the server is killed and stopped meanwhile.
func TestNothingIsLostByCutsAndRestarts(t *testing.T) {
	for name, stand := range fronts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pubsubtest.Start(t, "PUBSUB_HISTORY="+filepath.Join(t.TempDir(), "data"), "PUBSUB_PUBLISH_RATE=0")
			readThroughRestarts(t, s, stand(t, s))
		})
	}
}

func readThroughRestarts(t *testing.T, s *pubsubtest.Server, front front) {
	cuts, url := startCutter(t, front.addr)
	channels := []string{"room", "news"}
	readers := start(t, url, "all", channels...)

	var posters sync.WaitGroup
	for _, d := range drivers {
		for _, channel := range channels {
			posters.Go(func() { run(t, d.post(t, url, channel), linesOf(d)) })
		}
	}
	first := readers[0].next()
	require.Error(t, s.Stop(syscall.SIGKILL))
	s.Restart(t)
	require.NoError(t, s.Stop(syscall.SIGTERM))
	s.Restart(t)
	posters.Wait()
	front.calm()
	cuts.calm.Store(true) // a silent poll that is cut again and again waits ever longer
	for _, channel := range channels {
		s.Post(t, "/pub/"+channel+"?message=end", pubsubtest.Body{})
	}
	for i, r := range readers {
		said := &heard{reader: r, last: make(map[string]uint64), texts: make(map[string][]string)}
		if i == 0 {
			said.take(first)
		}
		for said.ends < len(channels) {
			said.take(r.next())
		}
		said.check(channels)
	}
	require.Greater(t, cuts.cuts.Load(), int64(10))
	t.Logf("%d connections were cut", cuts.cuts.Load())
}

// linesOf are the messages of a driver.
func linesOf(d driver) []string {
	lines := make([]string, posts())
	for i := range lines {
		lines[i] = fmt.Sprintf("%s %d é漢😀", d.name, i)
	}
	return lines
}

// heard is what a reader was given.
type heard struct {
	*reader
	last  map[string]uint64   // id by channel
	texts map[string][]string // by channel and poster
	ends  int
}

func (h *heard) take(line printed) {
	require.Nil(h.t, line.Gap, h.name)
	require.Equal(h.t, h.last[line.Channel]+1, line.ID, "%s in %s", h.name, line.Channel)
	h.last[line.Channel]++
	if line.Message == "end" {
		h.ends++
		return
	}
	poster, _, _ := strings.Cut(line.Message, " ")
	h.texts[line.Channel+" "+poster] = append(h.texts[line.Channel+" "+poster], line.Message)
}

func (h *heard) check(channels []string) {
	for _, d := range drivers {
		for _, channel := range channels {
			require.Equal(h.t, linesOf(d), h.texts[channel+" "+d.name], "%s of %s in %s", h.name, d.name, channel)
		}
	}
}

// A restart that forgets the messages is told, once in each channel, and reading goes on.
func TestARestartWithoutMemoryIsOneGap(t *testing.T) {
	for name, stand := range fronts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pubsubtest.Start(t)
			loseAll(t, s, "http://"+stand(t, s).addr)
		})
	}
}

func loseAll(t *testing.T, s *pubsubtest.Server, url string) {
	post := func(text string) {
		for _, channel := range []string{"room", "news"} {
			s.Post(t, "/pub/"+channel+"?message="+text, pubsubtest.Body{})
		}
	}
	post("before")
	readers := start(t, url, "all", "room", "news")
	for _, r := range readers {
		require.Equal(t, "before", r.next().Message, r.name)
		require.Equal(t, "before", r.next().Message, r.name)
	}
	require.Error(t, s.Stop(syscall.SIGKILL))
	s.Restart(t)
	post("after")
	for _, r := range readers {
		gaps, messages := make(map[string]string), 0
		for messages < 2 {
			line := r.next()
			if line.Gap != nil {
				require.NotContains(t, gaps, line.Gap.Channel, r.name)
				gaps[line.Gap.Channel] = line.Gap.Reason
				continue
			}
			require.Equal(t, "after", line.Message, r.name)
			require.Contains(t, gaps, line.Channel, "%s: a gap comes before what follows it", r.name)
			messages++
		}
		require.Equal(t, map[string]string{"room": "restarted", "news": "restarted"}, gaps, r.name)
	}
}
