package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// The long form: go test -run Folder . -args -folder.kills=200
var kills = flag.Int("folder.kills", 4, "how often a server with its messages in a folder is killed")

// inFolder are the settings of a server that keeps all messages in a folder.
func inFolder(dir string) []string {
	return []string{"PUBSUB_HISTORY=" + dir, "PUBSUB_HISTORY_MESSAGES=0", "PUBSUB_HISTORY_BYTES=0", "PUBSUB_PUBLISH_RATE=0",
		"PUBSUB_REQUEST_RATE=0", "PUBSUB_READ_RATE=0", "PUBSUB_ADDR=127.0.0.1:0"}
}

// ledger is what was acknowledged: texts by id.
type ledger struct {
	mu    sync.Mutex
	texts map[int]string
}

// post posts a text to the room and returns the status, 0 where there is no whole answer.
func (l *ledger) post(client *http.Client, base, text string) (status int) {
	resp, err := client.PostForm(base+"/pub/room", url.Values{"message": {text}})
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	var receipt struct{ ID int }
	if json.NewDecoder(resp.Body).Decode(&receipt) != nil {
		return 0
	}
	if resp.StatusCode == http.StatusOK {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.texts[receipt.ID] = text
	}
	return resp.StatusCode
}

// check reads the room from its beginning: ids without holes, what was acknowledged under
// its id, and no text twice.
func (l *ledger) check(t *testing.T, base string) (messages int) {
	seen, cursor := make(map[string]bool), "all"
	for more := true; more; {
		resp, err := http.Get(base + "/sub/room?timeout=0&since=" + cursor)
		require.NoError(t, err)
		var page struct {
			Messages []pubsubtest.Message
			Cursor   string
			More     bool
			Gap      any
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&page))
		resp.Body.Close()
		require.Nil(t, page.Gap)
		for _, m := range page.Messages {
			messages++
			require.EqualValues(t, messages, m.ID)
			require.False(t, seen[m.Message], "%q is there twice", m.Message)
			seen[m.Message] = true
			if text, known := l.texts[messages]; known {
				require.Equal(t, text, m.Message)
			}
		}
		cursor, more = page.Cursor, page.More
	}
	for id := range l.texts {
		require.LessOrEqual(t, id, messages, "an acknowledged message is gone")
	}
	return messages
}

func TestKillsLoseNothingOfAFolder(t *testing.T) {
	t.Parallel()
	book := &ledger{texts: make(map[int]string)}
	dir := filepath.Join(t.TempDir(), "data")
	var s *pubsubtest.Server
	for round := range *kills {
		var err error
		s, err = pubsubtest.Command{Settings: inFolder(dir)}.Launch()
		require.NoError(t, err)
		base := "http://" + s.Addr()
		var posters sync.WaitGroup
		enough := make(chan struct{}, 1000)
		for p := range 8 {
			posters.Go(func() {
				client := &http.Client{Transport: new(http.Transport), Timeout: 10 * time.Second}
				defer client.CloseIdleConnections()
				for i := 0; book.post(client, base, fmt.Sprint(round, "-", p, "-", i)) == http.StatusOK; i++ {
					select {
					case enough <- struct{}{}:
					default:
					}
				}
			})
		}
		for range 200 + 150*(round%4) {
			<-enough
		}
		_ = s.Stop(syscall.SIGKILL)
		posters.Wait()
	}
	last := pubsubtest.Start(t, inFolder(dir)...)
	messages := book.check(t, "http://"+last.Addr())
	t.Logf("%d kills: %d acknowledged, %d kept", *kills, len(book.texts), messages)
}

// A full disk refuses, loses nothing, and goes on when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("only root may mount a small disk: %s", out)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	book := &ledger{texts: make(map[int]string)}
	s, err := pubsubtest.Command{Settings: inFolder(filepath.Join(disk, "data"))}.Launch()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(os.Interrupt)) })
	base := "http://" + s.Addr()
	long, refused := fmt.Sprintf("%02000d", 0), 0
	for i := 0; refused < 5; i++ {
		status := book.post(http.DefaultClient, base, fmt.Sprint(i, long))
		if status != http.StatusOK {
			require.Equal(t, http.StatusServiceUnavailable, status)
			refused++
		}
		require.Less(t, i, 5000)
	}
	require.Regexp(t, `level=WARN msg=refused status=503 reason=history-full`, s.Log())
	book.check(t, base)
	require.NoError(t, exec.Command("mount", "-o", "remount,size=30m", disk).Run())
	require.Equal(t, http.StatusOK, book.post(http.DefaultClient, base, "again"))
	require.Equal(t, len(book.texts), book.check(t, base))
}
