package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Clients that ask for much and never read it hold a bounded part of the memory, and
// who reads is given everything meanwhile.
func TestUnreadAnswersAreBounded(t *testing.T) {
	const clients, messages = 400, 64 // of 256 KB each for every client: 100 MB
	config := open()
	config.TrustedHops = 1
	bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
		client := p.dial()
		defer client.Close()
		for range messages {
			_, err := io.WriteString(client, postOf("/pub", jsonBody, `{"message":"`+strings.Repeat("x", 16_000)+`"}`))
			require.NoError(t, err)
			status, _ := answer(t, client)
			require.Equal(t, 200, status)
		}
		readAll := func() (answers int) {
			seen, cursor := uint64(0), "all"
			for seen < messages {
				_, err := io.WriteString(client, head("GET", "/sub?timeout=0&since="+cursor, "X-Forwarded-For: 203.0.113.1"))
				require.NoError(t, err)
				_, body := answer(t, client)
				var page struct {
					Messages []struct{ ID uint64 }
					Cursor   string
					Gap      any
				}
				require.NoError(t, json.Unmarshal([]byte(body), &page))
				require.Nil(t, page.Gap)
				for _, m := range page.Messages {
					seen++
					require.Equal(t, seen, m.ID)
				}
				cursor = page.Cursor
				answers++
			}
			return answers
		}
		inPeace := readAll()
		before := heap()
		for name, address := range map[string]func(i int) string{
			"one address":    func(int) string { return "203.0.113.2" },
			"many addresses": func(i int) string { return fmt.Sprint("198.51.100.", i%250) },
		} {
			var conns []net.Conn
			ask := func(path string) {
				c := p.dial()
				_, err := io.WriteString(c, head("GET", path, "X-Forwarded-For: "+address(len(conns))))
				require.NoError(t, err)
				conns = append(conns, c)
			}
			for i := range clients {
				ask([]string{"/sub?timeout=0&since=all", "/api/poll/chat?last_message_id=0", "/chat"}[i%3])
			}
			synctest.Wait()
			held := heap() - before
			// Who asks together with others may find room taken that these then do not need.
			// So some more ask one after the other, until there is none.
			for range 150 {
				ask("/sub?timeout=0&since=all")
				synctest.Wait()
			}
			limit := int64(32+clients*(16+16)/1024+8) << 20 // large answers, small ones and connections, and a few
			if name == "one address" {
				limit -= 24 << 20
				require.Equal(t, inPeace, readAll(), "another address has its room")
				_, err := io.WriteString(client, head("GET", "/chat", "X-Forwarded-For: "+address(0)))
				require.NoError(t, err)
				resp, body := answerOf(t, client)
				requireRefused(t, resp, body, 429, "bytes of unread answers")
			} else {
				require.Greater(t, readAll(), inPeace, "in smaller parts")
			}
			require.Less(t, held, limit, name)

			time.Sleep(time.Minute)
			for _, c := range conns {
				_, err := io.WriteString(c, "x")
				require.Error(t, err, "it is gone")
			}
			clear(conns)
			require.Equal(t, inPeace, readAll(), "there is room again")
			t.Logf("%s: %d MiB held, %+d KiB afterwards", name, held>>20, (heap()-before)>>10)
			require.Less(t, heap()-before, int64(8<<20))
		}
	})
}
