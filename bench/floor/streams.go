package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

var queue = 1000

// stream is Server-Sent Events as one writes them first: a goroutine and a
// channel for each, net/http beneath.
func (r *room) stream(w http.ResponseWriter, req *http.Request) {
	messages := make(chan json.RawMessage, queue)
	r.enter(messages)
	defer r.leave(messages)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	if out.Flush() != nil {
		return
	}
	for {
		select {
		case message := <-messages:
			fmt.Fprintf(w, "data: %s\n\n", message)
			if out.Flush() != nil {
				return
			}
		case <-req.Context().Done():
			return
		}
	}
}

func (r *room) enter(messages chan json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams[messages] = true
}

func (r *room) leave(messages chan json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.streams, messages)
}
