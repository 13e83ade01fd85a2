package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// apiPolled is an answer of /api/poll. Its timestamp goes back as it came.
type apiPolled struct {
	Status    string
	Data      struct{ ID uint64 }
	Timestamp json.Number
}

// Who polls on from the timestamp of each answer, also of those without a message,
// is given every message, however short its polls are.
func TestTimestampsPassNothingOver(t *testing.T) {
	t.Parallel()
	const messages, clients = 300, 8
	for _, timeout := range []string{"0", "0.01"} {
		for name, before := range map[string]uint64{"empty channel": 0, "used channel": 1} {
			t.Run(name+" timeout="+timeout, func(t *testing.T) {
				s := start(t, open())
				for range before {
					s.post(t, "before")
				}
				var all, begun sync.WaitGroup
				begun.Add(clients)
				for range clients {
					all.Go(func() {
						client := &fireClient{server: s}
						defer client.hangUp()
						since := json.Number("0")
						for seen, first := before, true; seen < before+messages; first = false {
							body, _ := client.poll(t, fmt.Sprintf("/api/poll/chat?timeout=%s&since=%s", timeout, since), neverCut)
							if first {
								begun.Done()
							}
							var p apiPolled
							if !check(t, json.Unmarshal(body, &p) == nil && p.Timestamp != "", "%s", body) {
								return
							}
							if since = p.Timestamp; p.Status == "timeout" {
								continue
							}
							if seen++; !check(t, p.Data.ID == seen, "%d instead of %d", p.Data.ID, seen) {
								return
							}
						}
					})
				}
				begun.Wait()
				for range messages {
					s.post(t, "hi")
				}
				all.Wait()
			})
		}
	}
}

// What is said while a poll is answered that nothing was said is newer than the time
// that it is told, also where nothing was said before.
func TestTimeoutTellsWhenItWasAsked(t *testing.T) {
	bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
		client := p.dial()
		defer client.Close()
		asked := time.Now()
		fmt.Fprint(client, request("/api/poll/chat?timeout=5"))
		_, body := answer(t, client)
		require.Equal(t, 5*time.Second, time.Since(asked))
		var told apiPolled
		require.NoError(t, json.Unmarshal([]byte(body), &told))
		require.Equal(t, fmt.Sprintf("%d.%06d", asked.Unix(), asked.Nanosecond()/1000), told.Timestamp.String())
	})
}

// A client that has had no message yet, and so asks since=0 again, goes on from its
// place on its connection.
func TestSinceZeroGoesOn(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]uint64{"empty channel": 0, "used channel": 2} {
		t.Run(name, func(t *testing.T) {
			s := start(t, open())
			for range before {
				s.post(t, "before")
			}
			c := s.dial(t, "/api/poll/chat?timeout=0")
			defer c.Close()
			answers := bufio.NewReader(c)
			next := func() (p apiPolled) {
				resp, err := http.ReadResponse(answers, nil)
				require.NoError(t, err)
				defer resp.Body.Close()
				require.NoError(t, json.NewDecoder(resp.Body).Decode(&p))
				return p
			}
			poll := func(query string) apiPolled {
				fmt.Fprint(c, request("/api/poll/chat?"+query))
				return next()
			}
			require.Equal(t, "timeout", next().Status)
			require.Equal(t, "timeout", poll("since=0&timeout=0.01").Status)
			for range 4 {
				s.post(t, "while nobody asks")
			}
			first := poll("since=0&timeout=2")
			require.Equal(t, before+1, first.Data.ID)
			second := poll("timeout=2&since=" + first.Timestamp.String())
			require.Equal(t, before+2, second.Data.ID)
			for id := before + 2; id <= before+4; id++ {
				require.Equal(t, id, poll("since=0&timeout=2").Data.ID, "what was given by its timestamp moves no place")
			}
			require.Equal(t, "timeout", poll("since=0&timeout=0").Status)
			s.post(t, "later")
			require.Equal(t, before+5, poll("since=0&timeout=2").Data.ID)
		})
	}
}
