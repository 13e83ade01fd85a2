package load_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/bench/dialect"
	"pubsub/bench/load"
)

// patience is how long anything that must happen may take.
const patience = 10 * time.Second

// scripted is a server that takes messages and gives its pollers what a test
// wants, whatever was published.
type scripted struct {
	published chan string
	answer    func(w http.ResponseWriter, poll int)
	polls     chan int // each poll's number, given back by the test
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		s.published <- string(body)
		if strings.Contains(string(body), "-9-") {
			http.Error(w, "full", http.StatusServiceUnavailable)
		}
		return
	}
	poll := <-s.polls
	s.polls <- poll + 1
	s.answer(w, poll)
}

// start serves s and returns how to reach it.
func start(t *testing.T, s *scripted) *load.Config {
	s.published = make(chan string, 100)
	s.polls = make(chan int, 1)
	s.polls <- 0
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	cursor, err := dialect.Named("cursor")
	require.NoError(t, err)
	return &load.Config{
		Addr: netip.MustParseAddrPort(server.Listener.Addr().String()), Host: "host", Dialect: cursor, Channel: "room",
		Nonce: "run", Base: time.Now(), Messages: 10, Publishers: 1, Loops: 1,
	}
}

// text is a message as a server passes it on.
func text(message int) string {
	return string(load.AppendText(nil, "run", load.Stamp{Message: message}, 0))
}

func TestEverythingThatGoesWrongIsCounted(t *testing.T) {
	all := make(chan struct{})
	config := start(t, &scripted{answer: func(w http.ResponseWriter, poll int) {
		switch poll {
		case 0:
			<-all
			fmt.Fprint(w, text(0), text(1), text(1), text(3), text(2)) // doubled, out of order
		case 1:
			fmt.Fprint(w, text(4), text(6), text(7), text(8), `"cursor":"a-8"`) // 5 is lost, 9 was refused
		default:
			w.WriteHeader(http.StatusNotModified)
			panic(http.ErrAbortHandler) // to be counted as one failure, with a pause after it
		}
	}})
	clients, err := load.Connect(config, 1)
	require.NoError(t, err)
	defer clients.Hangup()
	publishers, err := load.NewPublishers(config)
	require.NoError(t, err)
	defer publishers.Close()
	for m := range config.Messages {
		publishers.Publish(m, 0)
	}
	require.Eventually(t, func() bool { return publishers.Accepted(8) && publishers.Problem() != "" }, patience, time.Millisecond)
	close(all)
	require.True(t, clients.Await(8, patience, patience))
	require.False(t, clients.Await(9, time.Millisecond, patience), "nothing comes any more")
	clients.Hangup()

	out := clients.Outcome(publishers.Accepted)
	require.Equal(t, []int{8, 1, 1, 1}, []int{out.Got, out.Lost, out.Doubled, out.Disordered})
	require.False(t, publishers.Accepted(9))
	require.Contains(t, publishers.Problem(), "503: full")
	require.Equal(t, 2, out.Answers)
}

func TestClientsComeBackAfterAProblem(t *testing.T) {
	config := start(t, &scripted{answer: func(w http.ResponseWriter, poll int) {
		switch poll {
		case 0:
			http.Error(w, "busy", http.StatusTooManyRequests)
		case 1:
			panic(http.ErrAbortHandler) // the connection ends without an answer
		case 2:
			w.Header().Set("Connection", "close")
			fmt.Fprint(w, text(0))
		default:
			controller := http.NewResponseController(w)
			fmt.Fprint(w, "\n") // a heartbeat
			controller.Flush()
			fmt.Fprint(w, text(1))
		}
	}})
	clients, err := load.Connect(config, 1)
	require.NoError(t, err)
	defer clients.Hangup()
	require.True(t, clients.Await(2, patience, patience))
	require.Contains(t, clients.Problem(), "429: busy")
	clients.Hangup()
	clients.Hangup() // again is harmless
}

func TestConnectTellsWhatToDo(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	addr := netip.MustParseAddrPort(server.Listener.Addr().String())
	server.Close()
	cursor, err := dialect.Named("cursor")
	require.NoError(t, err)
	_, err = load.Connect(&load.Config{Addr: addr, Dialect: cursor, Loops: 2, Messages: 1}, 10)
	require.ErrorContains(t, err, "connecting to 127.0.0.1")
}

func TestChurnSeesAnswers(t *testing.T) {
	config := start(t, &scripted{answer: func(w http.ResponseWriter, poll int) {}})
	churned, err := load.Churn(t.Context(), config, 30, 10, load.Steady(1e6))
	require.NoError(t, err)
	require.Equal(t, 30, churned.Hangups)
}
