// Floor is the least that a long-polling server on net/http can be: channels
// of Go, no bus, no limits. What it costs is what net/http costs, so it is the
// mark for a server that does more. With -loop it is the least that one in Go
// can be at all, see [loop].
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// history is how many messages are kept.
const history = 1000

// room is the one channel there is. Its zero value is empty.
type room struct {
	mu      sync.Mutex
	last    int                      // id of the newest message; the first has 1
	log     [history]json.RawMessage // message i is at i % history
	waiting map[chan struct{}]bool   // polls; each is told once that there is something
	streams map[chan json.RawMessage]bool
}

func (r *room) publish(message json.RawMessage) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.log[r.last%history] = message
	for told := range r.waiting {
		close(told)
	}
	clear(r.waiting)
	for messages := range r.streams {
		select {
		case messages <- message:
		default:
		}
	}
	return r.last
}

// after returns what came after id since, or nothing and a channel that is
// closed when something has. A negative since is the newest id.
func (r *room) after(since int) (messages []json.RawMessage, last int, told chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since < 0 || since > r.last {
		since = r.last
	}
	if messages = r.logged(since); len(messages) == 0 {
		told = make(chan struct{})
		r.waiting[told] = true
	}
	return messages, r.last, told
}

// logged returns what came after id since. mu is held.
func (r *room) logged(since int) (messages []json.RawMessage) {
	for id := max(since, r.last-history) + 1; id <= r.last; id++ {
		messages = append(messages, r.log[id%history])
	}
	return messages
}

func (r *room) forget(told chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, told)
}

// wait is after, until there is something or the client is gone or time is up.
func (r *room) wait(req *http.Request, since int) (messages []json.RawMessage, last int) {
	messages, last, told := r.after(since)
	if told == nil {
		return messages, last
	}
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	select {
	case <-told:
		messages, last, told = r.after(last)
	case <-timeout.C:
	case <-req.Context().Done():
	}
	if told != nil {
		r.forget(told)
	}
	return messages, last
}

// sub answers with the next message alone.
func (r *room) sub(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if messages, _ := r.wait(req, -1); len(messages) > 0 {
		w.Write(messages[0])
	}
}

// subSince answers with all messages since a cursor, and the next cursor, or
// with a stream.
func (r *room) subSince(w http.ResponseWriter, req *http.Request) {
	if req.Header.Get("Accept") == "text/event-stream" {
		r.stream(w, req)
		return
	}
	since, err := strconv.Atoi(req.URL.Query().Get("since"))
	if err != nil {
		since = -1 // now
	}
	messages, last := r.wait(req, since)
	w.Header().Set("Content-Type", "application/json")
	w.Write(page(messages, last))
}

// page is an answer with messages, and the next cursor.
func page(messages []json.RawMessage, last int) []byte {
	b := append([]byte(nil), `{"messages":[`...)
	for i, message := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, message...)
	}
	return fmt.Appendf(b, `],"cursor":"%d"}`, last)
}

func (r *room) pubForm(w http.ResponseWriter, req *http.Request) {
	message, _ := json.Marshal(map[string]string{"nick": req.PostFormValue("nick"), "message": req.PostFormValue("message")})
	fmt.Fprintf(w, `{"status":"sent","id":%d}`, r.publish(message))
}

func (r *room) pubJSON(w http.ResponseWriter, req *http.Request) {
	var message json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 1<<20)).Decode(&message); err != nil {
		http.Error(w, "The body is not JSON.", http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, `{"status":"sent","id":%d}`, r.publish(message))
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on")
	flag.IntVar(&queue, "queue", queue, "how many messages may wait for a stream; one whose queue is full misses what comes")
	cert := flag.String("cert", "", "`file` of a certificate: speak TLS")
	key := flag.String("key", "", "`file` of its key")
	bare := flag.Bool("loop", false, "no net/http: polls with a cursor alone, by one goroutine with an epoll set")
	flag.Parse()
	r := &room{waiting: map[chan struct{}]bool{}, streams: map[chan json.RawMessage]bool{}}
	log.SetOutput(os.Stderr)
	if *bare {
		log.Fatal(serveLoop(*addr, r))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sub", r.sub)
	mux.HandleFunc("POST /pub", r.pubForm)
	mux.HandleFunc("GET /sub/{channel}", r.subSince)
	mux.HandleFunc("POST /pub/{channel}", r.pubJSON)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	if *cert != "" {
		log.Fatal(http.ListenAndServeTLS(*addr, *cert, *key, mux))
	}
	log.Fatal(http.ListenAndServe(*addr, mux))
}
