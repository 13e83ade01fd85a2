package pubsub_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	pubsub "pubsub/clients/go"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener of connections within the process, whose time synctest knows.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, open := <-p; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serve returns a client of a server that answers with this handler.
func serve(t *testing.T, handler http.HandlerFunc) *pubsub.Client {
	connections := make(pipes)
	server := &http.Server{Handler: handler}
	go server.Serve(connections)
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		connections <- far
		return near, nil
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		close(connections)
		_ = server.Close()
	})
	c := pubsub.New("http://chat")
	c.HTTP = &http.Client{Transport: transport}
	return c
}

// say writes an answer, or a part of one, that goes out at once.
func say(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

// events begins a stream of events.
func events(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	say(w, text)
}

// collect follows the room until so many messages, gaps and errors have come.
func collect(t *testing.T, c *pubsub.Client, from pubsub.From, n int) (messages []pubsub.Message, errs []error) {
	for message, err := range c.Follow(t.Context(), from, "room") {
		if err != nil {
			errs = append(errs, err)
		} else {
			messages = append(messages, message)
		}
		if len(messages)+len(errs) == n {
			break
		}
	}
	return messages, errs
}

// lasts requires that what happened took so long, in the time of synctest.
func lasts(t *testing.T, least, most time.Duration, what func()) {
	t.Helper()
	began := time.Now()
	what()
	require.GreaterOrEqual(t, time.Since(began), least)
	require.LessOrEqual(t, time.Since(began), most)
}
