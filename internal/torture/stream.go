package torture

import (
	"context"
	"errors"
	"strings"
	"time"

	pubsub "pubsub/clients/go"
	"pubsub/internal/torture/check"
)

// errMoved ends a stream for the reader to go on in another way, or elsewhere.
var errMoved = errors.New("moved")

// ways are those of the client, by the names of the flag.
var ways = map[string][]pubsub.Way{
	"poll":  nil, // with requests of our own, which may be cut one by one
	"sse":   {pubsub.SSE},
	"ws":    {pubsub.WebSocket},
	"mixed": {pubsub.SSE, pubsub.Poll, pubsub.WebSocket},
}

// follow reads a stream, with the client that others put into their programs, until it is
// time to be cut or to go elsewhere. It goes on from the last message that it was given.
func (r *reader) follow(ctx context.Context) error {
	limit, cause := time.Duration(r.rand.Int64N(int64(maxWait))), errMoved
	if r.rand.Float64() < r.t.cut {
		limit, cause = r.moment(), errCut
	}
	if r.rand.Float64() < wanders {
		r.at = r.rand.IntN(len(r.t.urls))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, cause)
	defer cancel()
	from := pubsub.From{
		Since: r.cursor, Way: r.t.ways[r.rand.IntN(len(r.t.ways))],
		Lost: func(err error, _ time.Duration) { r.t.record.missAnswer(err) },
	}
	client := &pubsub.Client{URL: r.t.urls[r.at], HTTP: r.client}
	for message, err := range client.Follow(ctx, from, r.channel) {
		if gap, is := errors.AsType[*pubsub.Gap](err); is {
			r.take(answerTo(gap))
		} else if err != nil {
			return err
		} else {
			r.take(answerWith(&message))
		}
	}
	return nil
}

func answerWith(m *pubsub.Message) answer {
	at := float64(m.Time.UnixMicro()) / 1e6
	return answer{
		messages: []check.Message{{ID: m.ID, Timestamp: at, Text: m.Text}},
		cursor:   m.Cursor, next: check.Place{Epoch: epoch(m.Cursor), ID: m.ID},
	}
}

func answerTo(gap *pubsub.Gap) answer {
	of, _, _ := strings.Cut(gap.Cursor, "+")
	told := &check.Gap{Reason: gap.Reason}
	if gap.Reason == "expired" {
		told.Missed = gap.Missed
	}
	return answer{gap: told, cursor: gap.Cursor, next: check.Place{Epoch: epoch(of), ID: idOf(of)}}
}
