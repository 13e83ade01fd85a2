package pubsub

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// silence is how long a stream may be silent. The server says something every 20 s.
const silence = 60 * time.Second

// events is a stream of server-sent events.
type events struct {
	channels []string
	body     io.Closer
	cancel   context.CancelCauseFunc
	ctx      context.Context
	lines    *bufio.Scanner
	retry    time.Duration // what the server said last
}

func (c *Client) openEvents(ctx context.Context, channels []string, query url.Values) (_ *events, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer func() {
		if err != nil {
			err = causeOf(ctx, err)
			cancel(err)
		}
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.subURL(channels, query), nil)
	if err != nil {
		return nil, wrong{err}
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cache-Control", "no-store")
	watch := time.AfterFunc(silence, func() { cancel(errSilence) })
	defer watch.Stop()
	resp, err := c.open(r)
	if err != nil {
		return nil, err
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		resp.Body.Close()
		return nil, &cut{foreign(resp), 0, false}
	}
	lines := bufio.NewScanner(&watched{resp.Body, watch})
	lines.Buffer(nil, maxAnswer)
	return &events{channels: channels, body: resp.Body, cancel: cancel, ctx: ctx, lines: lines}, nil
}

// watched ends a request when one read of its answer takes too long.
type watched struct {
	io.Reader
	watch *time.Timer
}

func (w *watched) Read(b []byte) (int, error) {
	w.watch.Reset(silence)
	defer w.watch.Stop()
	return w.Reader.Read(b)
}

func (s *events) close() {
	s.cancel(nil)
	_ = s.body.Close() // nothing is left to be read
}

// next returns what the next event says, which is a page with one message or a gap, or only
// with a cursor.
func (s *events) next(_ context.Context, at position) (*Page, error) {
	for {
		e, err := s.event()
		if err != nil {
			return nil, &cut{causeOf(s.ctx, err), s.retry, false}
		}
		switch {
		case e.name == "end":
			return nil, &cut{fmt.Errorf("the server ended the stream: %s", e.data), s.retry, true}
		case e.name == "error":
			return nil, s.refusal(e)
		case e.name == "begin" || e.name == "gap" || (e.name == "" || e.name == "message") && (e.id != "" || e.data != ""):
			return e.page(at, s.channels)
		}
	}
}

// refusal is an error that came as an event, so that browsers come back after it.
func (s *events) refusal(e *event) error {
	said := struct {
		Error  string
		Status int
	}{Status: http.StatusServiceUnavailable}
	if err := json.Unmarshal([]byte(e.data), &said); err != nil || said.Error == "" {
		said.Error = e.data
	}
	return &Error{Status: said.Status, Text: said.Error, RetryAfter: s.retry}
}

// event is one of a stream. Its id is empty if it has none.
type event struct{ id, name, data string }

// event reads lines up to the end of an event. It returns nothing of one that was cut.
func (s *events) event() (*event, error) {
	e, data := new(event), []string(nil)
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case s.lines.Text() == "":
			e.data = strings.Join(data, "\n")
			return e, nil
		case field == "id":
			e.id = value
		case field == "event":
			e.name = value
		case field == "data":
			data = append(data, value)
		case field == "retry":
			if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
				s.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
	if err := s.lines.Err(); err != nil {
		return nil, err
	}
	return nil, io.ErrUnexpectedEOF
}

// page is what the event says to a reader at a position, which it moves behind the event.
func (e *event) page(at position, channels []string) (*Page, error) {
	page := new(Page)
	if e.id != "" {
		if err := at.move(e.id); err != nil {
			return nil, err
		}
	}
	if e.data != "" && e.name != "begin" {
		if err := e.read(page, at, channels); err != nil {
			return nil, err
		}
	}
	page.Cursor = at.String()
	return page, nil
}

// read reads the message or the gap of an event into a page.
func (e *event) read(page *Page, at position, channels []string) error {
	if e.name == "gap" {
		gap := new(Gap)
		channel, err := e.decode(gap, &gap.Channel, channels)
		if err == nil {
			page.tell(gap, channel, at)
		}
		return err
	}
	var message Message
	channel, err := e.decode(&message, &message.Channel, channels)
	if err == nil && !at.had(channel) {
		message.Cursor = at.String()
		page.Messages = []Message{message}
	}
	return err
}

// decode reads the data into v, and finds its channel.
func (e *event) decode(v any, channel *string, channels []string) (int, error) {
	if err := json.Unmarshal([]byte(e.data), v); err != nil {
		return 0, fmt.Errorf("the server sent %.100q: %w", e.data, err)
	}
	return channelOf(channel, channels)
}
