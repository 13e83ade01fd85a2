package pubsub_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	pubsub "pubsub/clients/go"
)

// A post is repeated, with one key, until it is answered, and not before the server wants.
func TestAPostIsRepeatedWithItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, bodies, asked := make(map[string]int), make(map[string]int), 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			keys[r.Header.Get("Idempotency-Key")]++
			bodies[r.URL.Path+string(body)]++
			switch asked++; asked {
			case 1:
				panic(http.ErrAbortHandler)
			case 2:
				w.Header().Set("Retry-After", "3")
				w.WriteHeader(http.StatusServiceUnavailable)
			case 3:
				say(w, `{"status":`) // cut in the midst of the answer
				panic(http.ErrAbortHandler)
			default:
				say(w, `{"status":"sent","id":42,"cursor":"e-42"}`)
			}
		})
		lasts(t, 3*time.Second, 5*time.Second, func() {
			receipt, err := c.Publish(t.Context(), "room", map[string]any{"message": "hi"})
			require.NoError(t, err)
			require.Equal(t, pubsub.Receipt{ID: 42, Cursor: "e-42"}, receipt)
		})
		require.Len(t, keys, 1)
		require.NotContains(t, keys, "")
		require.Equal(t, map[string]int{`/pub/room{"message":"hi"}`: 4}, bodies)
	})
}

// When the server may have forgotten the key, one more try could double the message.
func TestAPostIsGivenUpBeforeItsKeyIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // so that the server sees the hang-up
			<-r.Context().Done()
		})
		lasts(t, 3*time.Minute, 5*time.Minute, func() {
			_, err := c.Publish(t.Context(), "room", map[string]any{"message": "hi"})
			require.ErrorIs(t, err, pubsub.ErrUnknown)
		})
	})
}

// A server that says that it did not take the post can be asked for as long as one likes.
func TestARefusedPostIsTriedUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Pubsub-Error", "test")
			w.WriteHeader(http.StatusServiceUnavailable)
			say(w, `{"error":"The server is full."}`)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		lasts(t, time.Hour, time.Hour, func() {
			_, err := c.Publish(ctx, "room", map[string]any{"message": "hi"})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, pubsub.ErrUnknown)
		})
	})
}

// Where nobody listens nothing was sent, for as long as it is tried. That is told once, and why.
func TestWhereNobodyListensNothingIsSent(t *testing.T) {
	var told bytes.Buffer
	log.SetOutput(&told)
	defer log.SetOutput(os.Stderr)
	synctest.Test(t, func(t *testing.T) {
		nobody := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }}
		c := &pubsub.Client{URL: "http://chat", HTTP: &http.Client{Transport: nobody}}
		tokens := serve(t, func(w http.ResponseWriter, _ *http.Request) { say(w, "token") })
		c.Renew = func(ctx context.Context) (string, error) { // a token that is fetched is no message that is sent
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, tokens.URL, nil)
			require.NoError(t, err)
			resp, err := tokens.HTTP.Do(r)
			require.NoError(t, err)
			return "token", resp.Body.Close()
		}
		for _, act := range map[string]func(context.Context) error{
			"publish": func(ctx context.Context) error {
				_, err := c.Publish(ctx, "room", map[string]any{"message": "hi"})
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				return err
			},
			"follow": func(ctx context.Context) error {
				for _, err := range c.Follow(ctx, pubsub.From{}, "room") {
					return err
				}
				return nil
			},
		} {
			told.Reset()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			err := act(ctx)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, pubsub.ErrUnknown)
			require.Equal(t, 1, strings.Count(told.String(), "connection refused"), told.String())
		}
	})
}

func TestPostsThatAreNoMessages(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Pubsub-Error", "test")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		say(w, `{"error":"Too long for `+r.URL.Path+`."}`)
	})
	_, err := c.Publish(t.Context(), "room", map[string]any{"temperature": 21.5})
	require.EqualError(t, err, "Too long for /api/publish/room. (status 413)")
	_, err = c.Publish(t.Context(), "room", "hi")
	require.ErrorContains(t, err, "a message is a JSON object")
}
