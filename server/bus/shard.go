package bus

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/go-zeromq/zmq4"
)

// shard is one PUB socket.
type shard struct {
	pub      zmq4.Socket
	listener *listener
	queue    *queue

	dialMu sync.Mutex // held while a SUB is opened
	closed bool
}

func newShard(merged *atomic.Int64) (s *shard, err error) {
	s = new(shard)
	if s.pub, s.listener, err = listen(); err != nil {
		return nil, err
	}
	s.queue, err = newQueue(s.pub, s.listener, merged)
	return s, err
}

// dial opens a SUB, one at a time. It is done in a goroutine of its own: zmq4 goes
// so deep for it that a waiting request would keep 4 KB more of stack.
func (s *shard) dial(topic string, b bell) (socket *subSocket, err error) {
	s.dialMu.Lock()
	defer s.dialMu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	var dialed sync.WaitGroup
	dialed.Go(func() { socket, err = dial(s.listener, topic, b) })
	dialed.Wait()
	return socket, err
}

// close closes the PUB, and with that rings all its SUBs.
func (s *shard) close() error {
	s.dialMu.Lock()
	defer s.dialMu.Unlock()
	s.closed = true
	return errors.Join(s.queue.end(), s.pub.Close())
}
