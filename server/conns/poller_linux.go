package conns

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller watches connections, and tells when the client of one hangs up. It tells of input,
// too, if that is asked for. One epoll set serves all connections.
//
// Without it, net/http has a goroutine beside every handler, which waits in a read. That
// costs each poll a stack, two system calls and two deadlines. It also misses the hang-up of
// a client that has sent its next request before the answer: the read returns a byte of that
// request, and net/http reads no further.
type poller struct {
	epoll  *os.File
	events syscall.RawConn
	waker  *os.File // an eventfd that ends a wait

	// For the goroutine that calls look and next only.
	batch [128]syscall.EpollEvent
	at, n int                   // the events left in batch
	waits bool                  // look is to wait
	take  func(fd uintptr) bool // the method taken, bound once

	mu    sync.Mutex // guards last and conns; no other lock is taken under it
	last  uint64     // id given; descriptors are no ids, because the system uses them again
	conns map[uint64]*Conn
}

// newPoller returns poller for the connections of l. It returns nil if l has no file
// descriptor, such as a listener in memory. A nil poller watches nothing: net/http notices
// hang-ups.
func newPoller(l net.Listener) (*poller, error) {
	if _, ok := l.(syscall.Conn); !ok {
		return nil, nil
	}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // os.File waits only for a descriptor that does not block
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	h := &poller{epoll: os.NewFile(uintptr(fd), "epoll"), conns: make(map[uint64]*Conn)}
	h.events, err = h.epoll.SyscallConn()
	if err == nil {
		err = h.epoll.SetReadDeadline(time.Time{}) // fails if os.File cannot wait for the descriptor
	}
	if err != nil {
		_ = h.epoll.Close()
		return nil, err
	}
	h.take = h.taken
	if err := h.addWaker(); err != nil {
		_ = h.epoll.Close()
		return nil, err
	}
	return h, nil
}

// addWaker adds the eventfd of wake. Its events have id 0, which no connection has.
func (h *poller) addWaker() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	h.waker = os.NewFile(uintptr(fd), "eventfd")
	event := syscall.EpollEvent{Events: onInput | onHangUp}
	if err := syscall.EpollCtl(int(h.epoll.Fd()), syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		_ = h.waker.Close()
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// Close stops watching, and makes look return false. watch must not be called any more.
func (h *poller) Close() error {
	if h == nil {
		return nil
	}
	return errors.Join(h.epoll.Close(), h.waker.Close())
}

// look looks for events, for next to return. If wait is set, look waits until there is one.
// It returns false when poller is closed.
func (h *poller) look(wait bool) (open bool) {
	h.waits, h.at, h.n = wait, 0, 0
	return h.events.Read(h.take) == nil
}

// taken is called by look with the epoll descriptor. It returns false if look must wait.
func (h *poller) taken(fd uintptr) bool {
	for {
		n, err := syscall.EpollWait(int(fd), h.batch[:], 0)
		if err == syscall.EINTR {
			continue
		}
		h.n = max(n, 0)
		return h.n > 0 || !h.waits
	}
}

// next returns the next event that look has found. some is false if there is none left.
func (h *poller) next() (e event, some bool) {
	if h.at == h.n {
		return event{}, false
	}
	found := &h.batch[h.at]
	h.at++
	const gone = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	return event{uint64(uint32(found.Pad))<<32 | uint64(uint32(found.Fd)), found.Events&gone != 0}, true
}

// one is what wake adds to the eventfd. Nobody reads the eventfd, as each write is an event.
var one = binary.NativeEndian.AppendUint64(nil, 1)

// wake ends the wait of look.
func (h *poller) wake() {
	_, _ = h.waker.Write(one) // if it fails, poller is closed
}

// conn returns the connection of an event, nil if it is not watched any more.
func (h *poller) conn(id uint64) *Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns[id]
}

// find returns the connections for which such returns true. such is called with mu held.
func (h *poller) find(such func(*Conn) bool) (found []*Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		if such(c) {
			found = append(found, c)
		}
	}
	return found
}

// Events of a connection. The set is edge-triggered: each hang-up is one event, and so is
// input, if that is asked for. A later event means that more has come.
const (
	onHangUp = syscall.EPOLLRDHUP | 1<<31 // EPOLLET; on some platforms syscall.EPOLLET is negative
	onInput  = syscall.EPOLLIN
)

// watch watches for the client of c to hang up. forget ends the watch: call it before c is
// closed. It is nil if c cannot be watched.
func (h *poller) watch(c *Conn) (forget func()) {
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

// alsoInput makes input of c an event, too, also input that is there already. c must be
// watched.
func (h *poller) alsoInput(c *Conn) error {
	return h.control(c.socket, syscall.EPOLL_CTL_MOD, onHangUp|onInput, c.watched)
}

// onlyHangUps undoes alsoInput.
func (h *poller) onlyHangUps(c *Conn) error {
	return h.control(c.socket, syscall.EPOLL_CTL_MOD, onHangUp, c.watched)
}

func (h *poller) control(s *socket, op int, events uint32, id uint64) error {
	event := syscall.EpollEvent{Events: events, Fd: int32(uint32(id)), Pad: int32(uint32(id >> 32))}
	var noEpoll, noSocket, err error // Control keeps Close from giving the descriptor to another file meanwhile
	noEpoll = h.events.Control(func(epoll uintptr) {
		noSocket = s.raw.Control(func(fd uintptr) {
			err = os.NewSyscallError("epoll_ctl", syscall.EpollCtl(int(epoll), op, int(fd), &event))
		})
	})
	return cmp.Or(noEpoll, noSocket, err)
}
