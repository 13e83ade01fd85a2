package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	pubsub "pubsub/clients/go"
)

const hi = `{"id":8,"timestamp":1795285979.339111,"channel":"room","nick":"ann","message":"hi","mood":"good"}`

// silentAt makes a server that answers the first request with nothing that ends, and the second with a message.
var silentAt = map[pubsub.Way]func() http.HandlerFunc{
	pubsub.SSE: func() http.HandlerFunc {
		var asked atomic.Int64
		return func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 1 {
				events(w, "retry: 3000\n\nid: e-7\n\n")
				time.Sleep(50 * time.Second)
				say(w, ": still here\n\n")
				<-r.Context().Done()
				return
			}
			if r.URL.Query().Get("since") == "e-7" {
				events(w, "id: e-8\ndata: "+hi+"\n\n")
			}
		}
	},
	pubsub.WebSocket: func() http.HandlerFunc {
		var asked atomic.Int64
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _ := websocket.Accept(w, r, nil)
			defer conn.CloseNow()
			if asked.Add(1) == 1 {
				_ = conn.Write(r.Context(), websocket.MessageText, []byte(`{"messages":[],"cursor":"e-7","start":"e-7"}`))
				time.Sleep(50 * time.Second)
				ctx := conn.CloseRead(r.Context())
				_ = conn.Ping(ctx)
				<-ctx.Done()
				return
			}
			if r.URL.Query().Get("since") == "e-7" {
				_ = conn.Write(r.Context(), websocket.MessageText, []byte(`{"messages":[`+hi+`],"cursor":"e-8","start":"e-7"}`))
			}
		}
	},
	pubsub.Poll: func() http.HandlerFunc {
		var asked atomic.Int64
		return func(w http.ResponseWriter, r *http.Request) {
			switch asked.Add(1) {
			case 1:
				if r.URL.Query().Get("timeout") != "0.000" {
					<-r.Context().Done() // until a message that a cut would lose
				}
				say(w, `{"messages":[],"cursor":"e-7","start":"e-7"}`)
			case 2:
				<-r.Context().Done()
			default:
				if r.URL.Query().Get("since") == "e-7" {
					say(w, `{"messages":[`+hi+`],"cursor":"e-8","start":"e-7"}`)
				}
			}
		}
	},
}

// A connection on which nothing comes is given up, and a heartbeat is something.
func TestSilence(t *testing.T) {
	for way, limits := range map[pubsub.Way][2]time.Duration{
		pubsub.SSE:       {113 * time.Second, 114 * time.Second}, // with what retry says
		pubsub.WebSocket: {110 * time.Second, 111 * time.Second},
		pubsub.Poll:      {34 * time.Second, 40 * time.Second},
	} {
		t.Run(way.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := serve(t, silentAt[way]())
				var lost []error
				from := pubsub.From{Way: way, Lost: func(err error, _ time.Duration) { lost = append(lost, err) }}
				lasts(t, limits[0], limits[1], func() {
					messages, errs := collect(t, c, from, 1)
					require.Empty(t, errs)
					require.EqualValues(t, 8, messages[0].ID)
					require.Equal(t, "e-8", messages[0].Cursor)
				})
				require.Len(t, lost, 1)
				require.ErrorContains(t, lost[0], "nothing was heard")
			})
		})
	}
}

func TestAMessageIsDecoded(t *testing.T) {
	c := serveOnce(t, "id: e-8\ndata: "+hi+"\n\n")
	messages, _ := collect(t, c, pubsub.From{}, 1)
	require.Equal(t, pubsub.Message{
		ID: 8, Channel: "room", Time: time.UnixMicro(1795285979339111), Nick: "ann", Text: "hi", JSON: []byte(hi), Cursor: "e-8",
	}, messages[0])
	var posted struct{ Mood string }
	require.NoError(t, messages[0].Decode(&posted))
	require.Equal(t, "good", posted.Mood)
}

func serveOnce(t *testing.T, text string) *pubsub.Client {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { events(w, text) })
}

// What the server refuses for good ends the loop with its sentence; what is busy does not.
func TestRefusals(t *testing.T) {
	for _, way := range []pubsub.Way{pubsub.SSE, pubsub.Poll, pubsub.WebSocket} {
		for _, status := range []int{400, 401, 403, 404} {
			t.Run(fmt.Sprint(way, status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var asked int
					c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
						if asked++; asked == 1 {
							w.Header().Set("Retry-After", "7")
							w.WriteHeader(http.StatusTooManyRequests)
							return
						}
						w.Header().Set("Pubsub-Error", "test")
						w.WriteHeader(status)
						say(w, `{"error":"You may not."}`)
					})
					lasts(t, 7*time.Second, 7200*time.Millisecond, func() {
						_, errs := collect(t, c, pubsub.From{Way: way}, 10)
						require.Len(t, errs, 1)
						refused, ok := errors.AsType[*pubsub.Error](errs[0])
						require.True(t, ok)
						require.Equal(t, &pubsub.Error{Status: status, Text: "You may not."}, refused)
					})
				})
			})
		}
	}
}

// The wait between tries doubles up to half a minute, with chance in it, and begins anew
// after something went well.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		asked, ctx := 0, t.Context()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked == 30 {
				events(w, "id: e-7\n\n")
				return
			}
			panic(http.ErrAbortHandler)
		})
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		from := pubsub.From{Lost: func(_ error, wait time.Duration) {
			if waits = append(waits, wait); len(waits) == 31 {
				cancel()
			}
		}}
		for _, err := range c.Follow(ctx, from, "room") {
			require.ErrorIs(t, err, context.Canceled)
		}
		for i, wait := range waits[:29] {
			require.Less(t, wait, min(200*time.Millisecond<<min(i, 10), 30*time.Second)+1)
		}
		var long time.Duration
		for _, wait := range waits[9:29] {
			long += wait
		}
		require.InDelta(t, 20*15, long.Seconds(), 150, "evenly from 0 to 30 s")
		require.Less(t, waits[29], 200*time.Millisecond)
	})
}

// A server that answers polls at once with nothing, as one that stops may, is not flooded.
func TestEmptyAnswersAreNoReasonToHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			say(w, `{"messages":[],"cursor":"e-7","start":"e-7"}`)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, err := range c.Follow(ctx, pubsub.From{Way: pubsub.Poll}, "room") {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		require.Less(t, asked, 50)
	})
}

// A stream over a limit says so in its events, and is asked again when it wants to be.
func TestErrorsAndEndsWithinAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []string{
			"retry: 5000\n\nevent: error\ndata: {\"error\":\"Too many.\",\"status\":429}\n\n",
			"retry: 1000\n\nid: e-7\n\nevent: end\ndata: {\"reason\":\"draining\"}\nretry: 4000\n\n",
			"id: e-7\n\nid: e-8\ndata: " + hi + "\n\nid: e-9\ndata: {\"id\":9,",
			"id: e-8\n\nevent: unheard-of\ndata: 1\n\nevent: error\ndata: {\"error\":\"Gone.\",\"status\":404}\n\n",
		}
		var since []string
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			since = append(since, r.URL.Query().Get("since"))
			events(w, answers[len(since)-1])
		})
		lasts(t, 9*time.Second, 10*time.Second, func() {
			var lost []string
			from := pubsub.From{Since: "-5", Lost: func(err error, _ time.Duration) { lost = append(lost, err.Error()) }}
			messages, errs := collect(t, c, from, 10)
			require.Len(t, messages, 1)
			require.Equal(t, []string{"Too many. (status 429)", "unexpected EOF"}, lost, "and not the end that was planned")
			require.EqualError(t, errs[0], "Gone. (status 404)")
		})
		require.Equal(t, []string{"-5", "-5", "e-7", "e-8"}, since)
	})
}

// Arguments that cannot be right end the loop before anything is asked.
func TestWrongArguments(t *testing.T) {
	good := pubsub.New("http://127.0.0.1:1")
	for sentence, loop := range map[string]func() (*pubsub.Client, pubsub.From, []string){
		"not the URL": func() (*pubsub.Client, pubsub.From, []string) {
			return pubsub.New("chat:80"), pubsub.From{}, []string{"a"}
		},
		"which channel": func() (*pubsub.Client, pubsub.From, []string) { return good, pubsub.From{}, nil },
		"no name of":    func() (*pubsub.Client, pubsub.From, []string) { return good, pubsub.From{}, []string{"a,b"} },
		"of 2 channels": func() (*pubsub.Client, pubsub.From, []string) {
			return good, pubsub.From{Since: "e-1,f-1"}, []string{"a"}
		},
		"is no cursor": func() (*pubsub.Client, pubsub.From, []string) {
			return good, pubsub.From{Since: "e-1+x"}, []string{"a"}
		},
		"there is no way ": func() (*pubsub.Client, pubsub.From, []string) { return good, pubsub.From{Way: 7}, []string{"a"} },
	} {
		c, from, channels := loop()
		turns := 0
		for _, err := range c.Follow(t.Context(), from, channels...) {
			require.ErrorContains(t, err, sentence)
			turns++
		}
		require.Equal(t, 1, turns)
	}
}

// An event that makes no sense is asked for again: to go on behind it could lose a message.
func TestNothingIsSkippedThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var since []string
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if since = append(since, r.URL.Query().Get("since")); len(since) == 1 {
				events(w, "id: e-7\n\nid: e-8\ndata: {\"id\":\n\n")
				return
			}
			events(w, "id: e-8\ndata: "+hi+"\n\n")
		})
		messages, _ := collect(t, c, pubsub.From{}, 1)
		require.EqualValues(t, 8, messages[0].ID)
		require.Equal(t, []string{"now", "e-7"}, since)
	})
}
