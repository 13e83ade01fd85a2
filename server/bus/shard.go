package bus

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/go-zeromq/zmq4"
)

// shard is one PUB socket with its queue.
type shard struct {
	pub      zmq4.Socket
	listener *listener
	queue    *queue

	dialMu sync.Mutex // guards closed; held while a SUB is opened; link.mu and queue.waitingMu may be taken under it
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

// dial opens a SUB, one at a time. It does so in another goroutine, because zmq4's calls go
// so deep that the stack of a waiting request would grow by 4 KB.
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

// close closes the PUB, which rings all its SUBs.
func (s *shard) close() error {
	s.dialMu.Lock()
	defer s.dialMu.Unlock()
	s.closed = true
	return errors.Join(s.queue.end(), s.pub.Close())
}
