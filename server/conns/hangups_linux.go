package conns

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// hangups tells of each connection whose client hangs up.
//
// Without it net/http has a goroutine wait in a read beside every handler to find
// that out: per poll a stack, two system calls and two deadlines. And it finds
// out nothing once the client has sent ahead of the answer, since it has no place
// for more than a byte. Here one epoll set serves all connections.
type hangups struct {
	epoll  *os.File
	events syscall.RawConn
	ended  sync.WaitGroup

	mu   sync.Mutex // guards the next two
	last uint64     // id: file descriptors are used again
	end  map[uint64]func()
}

// watchHangups is for connections from l. It returns nil, which watches nothing
// and leaves that to net/http, for a listener without a file descriptor, as those
// in memory are.
func watchHangups(l net.Listener) (*hangups, error) {
	if _, ok := l.(syscall.Conn); !ok {
		return nil, nil
	}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // or os.File would not wait for it
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	h := &hangups{epoll: os.NewFile(uintptr(fd), "epoll"), end: make(map[uint64]func())}
	h.events, err = h.epoll.SyscallConn()
	if err == nil {
		err = h.epoll.SetReadDeadline(time.Time{}) // fails where os.File does not wait for it
	}
	if err != nil {
		_ = h.epoll.Close()
		return nil, err
	}
	h.ended.Go(h.run)
	return h, nil
}

// Close stops watching. No call of watch may follow or be under way.
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
	_ = h.events.Read(func(fd uintptr) bool { // again whenever there are events, until epoll is closed
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
	end := h.end[id]
	h.mu.Unlock()
	if end != nil { // else it was closed here at the same time
		end()
	}
}

// watch calls end when the other end of c hangs up, until it is forgotten, which it
// must be before c is closed. forget is nil where c cannot be watched.
func (h *hangups) watch(c net.Conn, end func()) (forget func()) {
	socket, ok := c.(syscall.Conn)
	if !ok || h == nil {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	h.mu.Lock()
	h.last++
	id := h.last
	h.end[id] = end
	h.mu.Unlock()
	forget = func() {
		h.mu.Lock()
		delete(h.end, id)
		h.mu.Unlock()
	}
	// It says nothing of what the client sends, and each hang-up once.
	const hangup = syscall.EPOLLRDHUP | 1<<31 // syscall.EPOLLET is not this on every platform
	event := syscall.EpollEvent{Events: hangup, Fd: int32(uint32(id)), Pad: int32(uint32(id >> 32))}
	if controlErr := raw.Control(func(fd uintptr) {
		err = syscall.EpollCtl(int(h.epoll.Fd()), syscall.EPOLL_CTL_ADD, int(fd), &event)
	}); controlErr != nil || err != nil {
		forget()
		return nil
	}
	return forget
}
