package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

func asQuery(text string) string { return url.QueryEscape(text) }

// reader follows a room in one of the ways that there are.
type reader struct {
	name     string
	room     *room
	client   *pubsubtest.Client
	restarts atomic.Int64 // that it was told, or saw
	mayMiss  bool         // it says nothing of what it has, and its instance may go
	bare     bool         // it says an id or a time, and no cursor

	hadMu sync.Mutex // guards the rest
	had   map[uint64]string
	last  uint64
	gone  []map[uint64]string // what it had before each restart
}

// ask asks for a next answer, and takes it in. It tells what to ask for next.
type ask func(r *reader, at string) (path string, take func(body string) (next string, err error))

// readers starts one of each kind.
func (r *room) readers() (all []*reader) {
	for name, ask := range map[string]ask{
		"cursor": askCursor, "event": askEvent, "api by id": askAPI, "api by time": askAPITime, "chat": askChat, "plain": askPlain,
	} {
		reader := &reader{name: name, room: r, client: newClient(r.t, r.addr, "127.0.0.1"), mayMiss: name == "plain", bare: name != "cursor" && name != "chat", had: make(map[uint64]string)}
		r.others.Go(func() { reader.read(ask) })
		all = append(all, reader)
	}
	return all
}

func (r *reader) read(ask ask) {
	r.client.Context = r.room.reading
	for at := ""; ; {
		path, take := ask(r, at)
		status, header, body, over := r.get(path)
		if over {
			return
		}
		switch status {
		case http.StatusOK:
			next, err := take(body)
			if !assert.NoError(r.room.t, err, "%s: %s", r.name, body) {
				return
			}
			at = next
		case http.StatusNotModified: // chat's way to say that the time is over
		case http.StatusServiceUnavailable:
			assert.NotEmpty(r.room.t, header.Get("Retry-After"))
			again()
		default:
			assert.Fail(r.room.t, "a reader was refused", "%s: %d %s", r.name, status, body)
			return
		}
	}
}

// get gets an answer, unless it is over with reading.
func (r *reader) get(path string) (status int, header http.Header, body string, over bool) {
	resp, err := r.client.Send(http.MethodGet, path)
	if err == nil {
		defer resp.Body.Close()
		var all []byte
		all, err = io.ReadAll(resp.Body)
		status, header, body = resp.StatusCode, resp.Header, string(all)
	}
	if r.room.reading.Err() != nil {
		return 0, nil, "", true
	}
	return status, header, body, !assert.NoError(r.room.t, err, r.name)
}

type message struct {
	ID        uint64
	Message   string
	Timestamp json.Number
}

// page is the answer to a poll with a cursor.
type page struct {
	Messages []message
	Cursor   string
	More     bool
	Gap      *struct{ Reason string }
}

// takeBare takes a message in that was asked for without a cursor. Where the log is set
// back nothing but its id tells that.
func (r *reader) takeBare(m message) error {
	if *chaosFor > 0 && !r.mayMiss && r.place() > 0 && m.ID != r.place()+1 {
		r.restart(m.ID - 1)
	}
	return r.take(m)
}

// take takes a message in, which must be the next one.
func (r *reader) take(m message) error {
	r.hadMu.Lock()
	defer r.hadMu.Unlock()
	if m.ID != r.last+1 && !r.mayMiss || m.ID <= r.last && *chaosFor == 0 {
		return fmt.Errorf("%d came after %d", m.ID, r.last)
	}
	r.last, r.had[m.ID] = m.ID, m.Message
	return nil
}

// begin is for a reader that has all messages with each answer.
func (r *reader) begin() {
	r.hadMu.Lock()
	defer r.hadMu.Unlock()
	r.last, r.had = 0, make(map[uint64]string)
}

// restart is what a reader does that is told it: it has what it is told next, from behind
// an id on.
func (r *reader) restart(behind uint64) {
	r.hadMu.Lock()
	defer r.hadMu.Unlock()
	r.restarts.Add(1)
	r.room.setBack.Store(true)
	r.room.t.Logf("%s is told at %s that the log was set back behind %d", r.name, time.Now().Format(time.TimeOnly+".000"), r.last)
	r.gone = append(r.gone, r.had)
	r.last, r.had = behind, make(map[uint64]string)
}

// lost is how many messages the reader had before it was told of each restart that are
// not in the log.
func (r *reader) lost(log map[uint64]string) (each []int) {
	for _, had := range r.gone {
		n := 0
		for id, text := range had {
			if log[id] != text {
				n++
			}
		}
		each = append(each, n)
	}
	return each
}

func askCursor(r *reader, at string) (string, func(string) (string, error)) {
	if at == "" {
		at = "all"
	}
	return "/sub/room?timeout=2&since=" + at, func(body string) (string, error) {
		var page page
		err := json.Unmarshal([]byte(body), &page)
		if page.Gap != nil {
			if page.Gap.Reason != "restarted" {
				return "", fmt.Errorf("was told %s", page.Gap.Reason)
			}
			r.restart(0)
		}
		for _, m := range page.Messages {
			if err == nil {
				err = r.take(m)
			}
		}
		return page.Cursor, err
	}
}

func askEvent(r *reader, at string) (string, func(string) (string, error)) {
	if at == "" {
		at = "0"
	}
	return "/subscribe/room?timeout=2&last_event_id=" + at, func(body string) (string, error) {
		var m message
		if err := json.Unmarshal([]byte(body), &m); err != nil || m.ID == 0 { // a timeout
			return at, err
		}
		return fmt.Sprint(m.ID), r.takeBare(m)
	}
}

func askAPI(r *reader, at string) (string, func(string) (string, error)) {
	if at == "" {
		at = "0"
	}
	return "/api/poll/room?timeout=2&last_message_id=" + at, func(body string) (next string, err error) {
		var page struct{ Messages []message }
		err = json.Unmarshal([]byte(body), &page)
		next = at
		for _, m := range page.Messages {
			if err == nil {
				next, err = fmt.Sprint(m.ID), r.takeBare(m)
			}
		}
		return next, err
	}
}

func askAPITime(r *reader, at string) (string, func(string) (string, error)) {
	if at == "" {
		at = "1" // in 1970
	}
	return "/api/poll/room?timeout=2&since=" + at, func(body string) (string, error) {
		var answer struct {
			Status    string
			Data      message
			Timestamp json.Number
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Status != "message" {
			return at, err
		}
		return answer.Timestamp.String(), r.takeBare(answer.Data)
	}
}

// askChat has the whole conversation with every answer.
func askChat(r *reader, at string) (string, func(string) (string, error)) {
	if at == "" {
		at = "0"
	}
	return "/chat?chat_id=room&cur_len=" + at, func(body string) (string, error) {
		r.begin()
		for i, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
			_, text, _ := strings.Cut(line, ": ")
			if err := r.take(message{ID: uint64(i + 1), Message: text}); err != nil {
				return "", err
			}
		}
		return fmt.Sprint(len(body)), nil
	}
}

func askPlain(r *reader, _ string) (string, func(string) (string, error)) {
	return "/sub/room", func(body string) (string, error) {
		var m message
		if strings.TrimSpace(body) == "" {
			return "", nil // its instance was stopped, and had nothing for it
		}
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			return "", err
		}
		return "", r.takeBare(m)
	}
}

// place is the id of the last message that the reader had.
func (r *reader) place() uint64 {
	r.hadMu.Lock()
	defer r.hadMu.Unlock()
	return r.last
}

// missed is how many messages the reader did not get, between the first and the last that
// it did.
func (r *reader) missed() int {
	r.hadMu.Lock()
	defer r.hadMu.Unlock()
	first := r.last
	for id := range r.had {
		first = min(first, id)
	}
	return int(r.last-first) + 1 - len(r.had)
}

// awaitAll returns when the reader has what there is now.
func (r *reader) awaitAll(t *testing.T) {
	t.Helper()
	want := uint64(len(r.room.log()))
	require.Eventually(t, func() bool { return r.place() >= want }, patience, 10*time.Millisecond, "%s does not get %d", r.name, want)
}

// check compares what the reader had with what there is, and, unless it was told that the
// log was set back, with what was acknowledged.
func (r *reader) check(t *testing.T, room *room) {
	if r.mayMiss || r.bare && room.setBack.Load() { // which a bare id cannot tell
		return
	}
	r.awaitAll(t)
	log := room.log()
	r.hadMu.Lock()
	defer r.hadMu.Unlock()
	t.Logf("%s: %d messages; the log was set back %d times, and lost %v messages", r.name, len(r.had), r.restarts.Load(), r.lost(log))
	assert.Equal(t, log, r.had, r.name)
	if r.restarts.Load() == 0 {
		room.takenMu.Lock()
		defer room.takenMu.Unlock()
		assert.Equal(t, room.taken, r.had, r.name)
	}
}
