package conns

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// hangups watches connections, and calls a function when the client of one hangs up. One
// epoll set serves all connections.
//
// Without it, net/http has a goroutine beside every handler that waits in a read. That
// costs each poll a stack, two system calls and two deadlines. It also fails once the
// client has sent its next request ahead of the answer: the read returns a byte of that,
// and net/http reads no further.
type hangups struct {
	epoll  *os.File
	events syscall.RawConn
	ended  sync.WaitGroup

	mu    sync.Mutex // guards the next two
	last  uint64     // id given; not the descriptor, which the system uses again
	conns map[uint64]*Conn
}

// watchHangups returns hangups for the connections of l. It returns nil if l has no file
// descriptor, such as a listener in memory. Nil watches nothing: net/http notices
// hang-ups.
func watchHangups(l net.Listener) (*hangups, error) {
	if _, ok := l.(syscall.Conn); !ok {
		return nil, nil
	}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // os.File waits only for what does not block
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	h := &hangups{epoll: os.NewFile(uintptr(fd), "epoll"), conns: make(map[uint64]*Conn)}
	h.events, err = h.epoll.SyscallConn()
	if err == nil {
		err = h.epoll.SetReadDeadline(time.Time{}) // fails if os.File cannot wait for it
	}
	if err != nil {
		_ = h.epoll.Close()
		return nil, err
	}
	h.ended.Go(h.run)
	return h, nil
}

// Close stops watching. watch must not be called any more.
func (h *hangups) Close() error {
	if h == nil {
		return nil
	}
	err := h.epoll.Close()
	h.ended.Wait()
	return err
}

func (h *hangups) run() {
	events := make([]syscall.EpollEvent, 128)
	// Read calls the function whenever there are events, until epoll is closed.
	_ = h.events.Read(func(fd uintptr) bool {
		for {
			n, err := syscall.EpollWait(int(fd), events, 0)
			if n <= 0 && err != syscall.EINTR {
				return false
			}
			for _, event := range events[:max(n, 0)] {
				h.hungUp(uint64(uint32(event.Pad))<<32 | uint64(uint32(event.Fd)))
			}
		}
	})
}

func (h *hangups) hungUp(id uint64) {
	h.mu.Lock()
	c := h.conns[id]
	h.mu.Unlock()
	switch {
	case c == nil: // we closed the connection at the same time
	case c.readable():
	default:
		c.hungUp()
	}
}

// Events of a connection. There is one for each hang-up, and none for what the client
// sends, unless that is asked for. The next comes when there is more than before.
const (
	onHangUp = syscall.EPOLLRDHUP | 1<<31 // EPOLLET; on some platforms syscall.EPOLLET is negative
	onInput  = syscall.EPOLLIN
)

// watch calls c.hungUp when the client of c hangs up. forget ends the watch: call it
// before c is closed. forget is nil if c cannot be watched.
func (h *hangups) watch(c *Conn) (forget func()) {
	if c.socket == nil || h == nil {
		return nil
	}
	h.mu.Lock()
	h.last++
	id := h.last
	h.conns[id], c.watched = c, id
	h.mu.Unlock()
	forget = func() {
		h.mu.Lock()
		delete(h.conns, id)
		h.mu.Unlock()
	}
	if err := h.control(c.socket, syscall.EPOLL_CTL_ADD, onHangUp, id); err != nil {
		forget()
		return nil
	}
	return forget
}

// watchInput has c.readable called for what the client sends, too, and for what it has
// sent already. c is watched.
func (h *hangups) watchInput(c *Conn) error {
	return h.control(c.socket, syscall.EPOLL_CTL_MOD, onHangUp|onInput, c.watched)
}

func (h *hangups) control(s *socket, op int, events uint32, id uint64) error {
	event := syscall.EpollEvent{Events: events, Fd: int32(uint32(id)), Pad: int32(uint32(id >> 32))}
	var err error
	if closed := s.raw.Control(func(fd uintptr) {
		err = syscall.EpollCtl(int(h.epoll.Fd()), op, int(fd), &event)
	}); closed != nil {
		return closed
	}
	return os.NewSyscallError("epoll_ctl", err)
}
