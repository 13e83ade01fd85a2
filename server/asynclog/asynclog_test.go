package asynclog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/server/asynclog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Lines that nobody reads cost nobody time, and are told when somebody does.
func TestNobodyWaitsForAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, w := io.Pipe()
		h := asynclog.New(w, slog.LevelInfo, false)
		log := slog.New(h)
		began := time.Now()
		const lines = 20_000
		for n := range lines {
			log.Info("a line", "n", n, "padding", strings.Repeat("x", 100))
		}
		require.Zero(t, time.Since(began))
		require.Positive(t, h.Dropped())

		var read bytes.Buffer
		ended := make(chan struct{})
		go func() { _, _ = io.Copy(&read, reader); close(ended) }()
		h.Close()
		w.Close()
		<-ended
		require.EqualValues(t, lines, int64(strings.Count(read.String(), "a line"))+h.Dropped())
		require.Contains(t, read.String(), "log lines were dropped")
		require.Less(t, read.Len(), 3<<20)
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, w := io.Pipe()
		h := asynclog.New(w, slog.LevelInfo, false)
		slog.New(h).Info("nobody reads this")
		began := time.Now()
		h.Close()
		require.Equal(t, time.Second, time.Since(began))
		slog.New(h).Info("nor this")
		require.EqualValues(t, 1, h.Dropped())
		reader.Close()
	})
}

// failing is a writer that can be mended.
type failing struct {
	bytes.Buffer
	broken bool
}

func (f *failing) Write(b []byte) (int, error) {
	if f.broken {
		return 0, errors.New("broken pipe")
	}
	return f.Buffer.Write(b)
}

func TestWhatCouldNotBeWrittenIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &failing{broken: true}
		h := asynclog.New(to, slog.LevelInfo, true)
		for range 3 {
			slog.New(h).Info("lost")
		}
		synctest.Wait()
		require.EqualValues(t, 3, h.Dropped())
		said := func(text string) []string {
			to.Reset()
			slog.New(h).Info(text)
			synctest.Wait()
			return strings.Split(strings.TrimSuffix(to.String(), "\n"), "\n")
		}
		const dropped = `"msg":"log lines were dropped, nobody took them in","lines":`
		to.broken = false
		lines := said("found")
		require.Len(t, lines, 2)
		require.Contains(t, lines[0], `"msg":"found"`)
		require.Contains(t, lines[1], dropped+"3")
		require.Len(t, said("once"), 1, "that is told once")
		to.broken = true
		said("lost")
		to.broken = false
		lines = said("found again")
		require.Len(t, lines, 2)
		require.Contains(t, lines[1], dropped+"1", "without those that were told")
		h.Close()
	})
}

func TestLinesAreShort(t *testing.T) {
	var out bytes.Buffer
	h := asynclog.New(&out, slog.LevelInfo, true)
	long := strings.Repeat("ä", 10_000)
	slog.New(h).Info(long, "path", long, "error", errors.New(long), asynclog.Stack, long)
	h.Close()
	var line map[string]string
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	for _, key := range []string{"msg", "path", "error"} {
		require.Equal(t, strings.Repeat("ä", 100)+"…", line[key])
	}
	require.Len(t, line[asynclog.Stack], 8<<10+len("…"))
	for most, text := range map[int]string{0: "…", 1: "…", 2: "ä…", 3: "ä…", 4: "ää"} {
		require.Equal(t, text, asynclog.Cut("ää", most), "not within a character")
	}
}
