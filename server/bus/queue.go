package bus

import (
	"sync"

	"github.com/go-zeromq/zmq4"
)

// maxQueued is how many messages may wait in a PUB socket.
const maxQueued = 64

// queue stands before a PUB socket, whose own has no bound. When the PUB is behind,
// the newest message of each channel waits here and takes the place of the one
// before it: whoever hears of one comes for all. So what waits is bounded by the
// number of channels, and a busy channel does not hold up the others.
//
// It learns what the PUB has taken from a SUB that is subscribed to everything and
// keeps nothing, its ear.
type queue struct {
	pub     zmq4.Socket
	ear     *Subscription
	onMerge func()

	mu     sync.Mutex // guards all below
	queued int        // messages in the PUB
	late   map[string][]byte
	order  []string // of late's channels
}

// follow makes q the queue of a shard.
func (q *queue) follow(b *Bus, s *shard) (err error) {
	q.pub, q.onMerge, q.late = s.pub, b.onMerge, make(map[string][]byte)
	if q.ear, err = b.open(s, "", ""); err == nil {
		q.ear.in.listen(q.taken)
	}
	return err
}

// send puts a message into the PUB, or has it wait.
func (q *queue) send(channel string, message []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queued < maxQueued {
		q.queued++
		return q.pub.Send(zmq4.NewMsg(message))
	}
	if _, waits := q.late[channel]; waits {
		q.onMerge()
	} else {
		q.order = append(q.order, channel)
	}
	q.late[channel] = message
	return nil
}

func (q *queue) len() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(q.queued + len(q.order))
}

// taken is called in the PUB's goroutine for each message that it begins to send.
func (q *queue) taken() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queued--
	if len(q.order) == 0 {
		q.order = nil // gives a long one back
		return
	}
	next := q.order[0]
	q.order = q.order[1:]
	message := q.late[next]
	delete(q.late, next)
	q.queued++
	_ = q.pub.Send(zmq4.NewMsg(message)) // a PUB's Send puts it into a list
}

func (q *queue) close() error {
	if q.ear == nil {
		return nil
	}
	return q.ear.socket.Close()
}

// listen has heard called for each message, none of which is kept.
func (p *pipe) listen(heard func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate.onMessage = heard
}
