package bus

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/go-zeromq/zmq4"
)

// queue stands before a PUB socket, whose own queue has no bound. It sends no ring
// for a channel that has one in there: whoever hears that one finds the newer
// message in the log, too. So at most one ring for each channel waits, and a busy
// channel does not hold up the others.
//
// A SUB that is subscribed to everything tells it what the PUB has begun to send.
// It is the PUB's first, so nobody can hear a ring and miss the next one.
type queue struct {
	pub    zmq4.Socket
	all    *subSocket
	merged *atomic.Int64

	waitingMu sync.Mutex
	waiting   map[string]struct{} // the channels of the rings in the PUB
	ended     chan struct{}       // closed when the PUB's writer has ended; nil before end
}

func newQueue(pub zmq4.Socket, l *listener, merged *atomic.Int64) (q *queue, err error) {
	q = &queue{pub: pub, merged: merged, waiting: make(map[string]struct{})}
	q.all, err = dial(l, "", q)
	return q, err
}

// topicEnd is in no channel.
const topicEnd = "\x00"

// topic is what a SUB of channel asks for. A SUB gets all that its topic is a
// prefix of, so it has an end.
func topic(channel string) string { return channel + topicEnd }

// send puts a ring into the PUB, unless there is one for its channel.
func (q *queue) send(channel string, id uint64) error {
	q.waitingMu.Lock()
	defer q.waitingMu.Unlock()
	if _, waits := q.waiting[channel]; waits {
		q.merged.Add(1)
		return nil
	}
	q.waiting[channel] = struct{}{}
	frame := binary.BigEndian.AppendUint64([]byte(topic(channel)), id)
	err := q.pub.Send(zmq4.NewMsg(frame)) // which puts it into a list
	if err != nil {
		delete(q.waiting, channel)
	}
	return err
}

func (q *queue) len() int64 {
	q.waitingMu.Lock()
	defer q.waitingMu.Unlock()
	return int64(len(q.waiting))
}

// ring implements [bell]: the PUB begins to send a frame.
func (q *queue) ring(frame []byte) {
	q.waitingMu.Lock()
	defer q.waitingMu.Unlock()
	if channel, _, found := bytes.Cut(frame, []byte(topicEnd)); found {
		delete(q.waiting, string(channel))
	}
	if q.ended != nil && frame != nil {
		close(q.ended)
		runtime.Goexit()
	}
}

// end ends the goroutine in which the PUB writes: with one more frame it exits in
// [queue.ring], and its deferred calls give back the PUB's locks. zmq4 leaves it
// behind when a PUB is closed: one goroutine for each PUB, and all that the PUB holds.
func (q *queue) end() error {
	q.waitingMu.Lock()
	q.ended = make(chan struct{})
	q.waitingMu.Unlock()
	if err := q.pub.Send(zmq4.NewMsgString(topic("the last one"))); err != nil {
		return err
	}
	<-q.ended
	return q.all.close()
}
