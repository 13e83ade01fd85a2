package poll

import (
	"context"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/lru"
)

// transcripts caches the transcripts that were asked for last, so that a message is turned
// into text once, and not for each client. Its methods are safe for concurrent use.
type transcripts struct {
	hub       *hub.Hub
	byChannel *lru.Shared[string, *transcript]
}

// maxTranscripts bounds the memory of transcripts, as each has at most maxBytes.
const maxTranscripts = 64

func newTranscripts(h *hub.Hub) *transcripts {
	return &transcripts{h, lru.NewShared[string, *transcript](maxTranscripts)}
}

// now returns the current transcript of a channel. Making one costs much, and updating one
// costs little. So before one is made, admit is called. Its error is returned.
func (t *transcripts) now(ctx context.Context, channel string, admit func() error) (snapshot, error) {
	known, found := t.byChannel.Get(channel)
	if !found {
		if err := admit(); err != nil {
			return snapshot{}, err
		}
		known = &transcript{hub: t.hub, channel: channel, since: history.All()}
		if other, found, _ := t.byChannel.PeekOrAdd(channel, known); found {
			known = other
		}
	}
	return known.now(ctx)
}
