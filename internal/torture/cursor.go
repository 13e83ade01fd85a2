package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pubsub/internal/torture/check"
)

// cursor is the dialect of this server.
type cursor struct{}

func (cursor) expected() check.Options { return check.Options{} }
func (cursor) keys() bool              { return true }
func (cursor) cuts() bool              { return true }

func (cursor) publish(ctx context.Context, to site, channel, key, text string) (check.Place, error) {
	body, _ := json.Marshal(map[string]string{"nick": "torture", "message": text}) // texts cannot fail
	r, err := to.post(ctx, "/pub/"+channel, "application/json", string(body))
	if err != nil {
		return check.Place{}, err
	}
	r.Header.Set("Idempotency-Key", key)
	_, body, err = to.do(r, http.StatusOK)
	if err != nil {
		return check.Place{}, err
	}
	var receipt struct {
		ID     uint64
		Cursor string
	}
	if err := json.Unmarshal(body, &receipt); err != nil || receipt.ID == 0 {
		return check.Place{}, fmt.Errorf("POST /pub was answered with %.200q, without an id", body)
	}
	return check.Place{Epoch: epoch(receipt.Cursor), ID: receipt.ID}, nil
}

// poll begins with a short poll, so that the reader has a place before anything is said.
func (c cursor) poll(ctx context.Context, from site, channel, cursor string, wait time.Duration) (answer, error) {
	if cursor == "" {
		cursor, wait = "now", 0
	}
	return c.read(ctx, from, channel, cursor, wait)
}

func (c cursor) glance(ctx context.Context, from site, channel string) (answer, bool, error) {
	a, err := c.read(ctx, from, channel, "-10", 0)
	return a, true, err
}

func (cursor) read(ctx context.Context, from site, channel, since string, wait time.Duration) (answer, error) {
	r, err := from.get(ctx, fmt.Sprintf("/sub/%s?since=%s&timeout=%g", channel, url.QueryEscape(since), wait.Seconds()))
	if err != nil {
		return answer{}, err
	}
	_, body, err := from.do(r, http.StatusOK)
	if err != nil {
		return answer{}, err
	}
	var page struct {
		Messages []struct {
			ID        uint64
			Timestamp float64
			Message   string
		}
		Cursor string
		Gap    *check.Gap
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return answer{}, fmt.Errorf("GET /sub was answered with %.200q: %w", body, err)
	}
	a := answer{cursor: page.Cursor, gap: page.Gap, next: check.Place{Epoch: epoch(page.Cursor), ID: idOf(page.Cursor)}}
	for _, m := range page.Messages {
		a.messages = append(a.messages, check.Message{ID: m.ID, Timestamp: m.Timestamp, Text: m.Message})
	}
	return a, nil
}

// epoch takes a cursor apart, which no client should do. Only so can it be known of an
// acknowledged message whether a reader was in the same life of the log. It is what
// stands before the first dot or dash.
func epoch(cursor string) string {
	if i := strings.IndexAny(cursor, ".-"); i >= 0 {
		return cursor[:i]
	}
	return cursor
}

// idOf is the number at a cursor's end.
func idOf(cursor string) (id uint64) {
	fmt.Sscanf(cursor[strings.LastIndexByte(cursor, '-')+1:], "%d", &id)
	return id
}
