package bus

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/go-zeromq/zmq4"
)

// queue bounds what waits in a PUB socket, whose own queue has no bound. It sends no ring for
// a channel that has one in the PUB: subscribers that hear that one find the newer message in
// the log, too. So at most one ring for each channel waits, and a busy channel does not delay
// the others.
//
// A SUB of all topics tells the queue when the PUB begins to send a ring. It is the first SUB
// of the PUB. So once any other SUB has heard a ring, the queue does not drop the next one.
type queue struct {
	pub    zmq4.Socket
	all    *subSocket
	merged *atomic.Int64

	waitingMu sync.Mutex          // guards waiting and ended; held over Send of the PUB, which does not wait
	waiting   map[string]struct{} // channels that have a ring in the PUB
	ended     chan struct{}       // closed when the PUB's writer has ended; nil before end is called
}

func newQueue(pub zmq4.Socket, l *listener, merged *atomic.Int64) (q *queue, err error) {
	q = &queue{pub: pub, merged: merged, waiting: make(map[string]struct{})}
	q.all, err = dial(l, "", q)
	return q, err
}

// topicEnd occurs in no channel's name.
const topicEnd = "\x00"

// topic returns the topic of a channel's SUBs. It has an end, because a SUB gets all frames
// of which its topic is a prefix.
func topic(channel string) string { return channel + topicEnd }

// send gives the PUB a ring, unless it has one for the channel. No code reads the id in the
// ring: it is for people who look at the bus, and keeps each frame longer than frameHeader.
func (q *queue) send(channel string, id uint64) error {
	q.waitingMu.Lock()
	defer q.waitingMu.Unlock()
	if _, waits := q.waiting[channel]; waits {
		q.merged.Add(1)
		return nil
	}
	q.waiting[channel] = struct{}{}
	frame := binary.BigEndian.AppendUint64([]byte(topic(channel)), id)
	err := q.pub.Send(zmq4.NewMsg(frame)) // appends to a list
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

// ring implements [bell]: the PUB begins to send a frame to all SUBs.
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

// end ends the PUB's writer: one more frame makes it exit in [queue.ring], and its deferred
// calls release the PUB's locks. zmq4 would leave the writer behind when the PUB is closed,
// with all that the PUB holds.
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
