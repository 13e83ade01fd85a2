package deploy_test

import (
	"errors"
	"net/http"

	"github.com/stretchr/testify/assert"

	pubsub "pubsub/clients/go"
)

// streams starts a reader for each way of the client for Go.
func (r *room) streams() (all []*reader) {
	for _, way := range []pubsub.Way{pubsub.SSE, pubsub.WebSocket} {
		reader := &reader{name: way.String(), room: r, had: make(map[uint64]string)}
		r.others.Go(func() { reader.follow(way) })
		all = append(all, reader)
	}
	return all
}

// follow reads a stream through nginx, whatever becomes of the instances behind it.
func (r *reader) follow(way pubsub.Way) {
	client := &pubsub.Client{URL: "http://" + r.room.addr, HTTP: &http.Client{Transport: new(http.Transport)}}
	defer client.HTTP.CloseIdleConnections()
	for m, err := range client.Follow(r.room.reading, pubsub.From{Since: "all", Way: way}, "room") {
		gap, is := errors.AsType[*pubsub.Gap](err)
		switch {
		case err == nil:
			if !assert.NoError(r.room.t, r.take(message{ID: m.ID, Message: m.Text}), r.name) {
				return
			}
		case is && gap.Reason == "restarted":
			r.restart(0)
		case r.room.reading.Err() == nil:
			assert.NoError(r.room.t, err, r.name)
			return
		}
	}
}
