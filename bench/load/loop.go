package load

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// retryAfter is how long a client waits after something went wrong, so that a
// target in trouble is not made to look busy by us.
const retryAfter = 100 * time.Millisecond

// loop is one thread that serves its share of the clients. Everything in it
// belongs to that thread, unless it is atomic.
type loop struct {
	all     *Clients
	config  *Config
	first   int // number of its first client
	clients []client
	tally   *tally
	prefix  []byte // of the run's messages

	epoll, wake       int // -1 without
	epollErr, wakeErr error
	in, scratch       []byte

	endless Endless // nil for polls

	again    []int // clients that retry
	retry    time.Time
	naps     []int // clients that wait for their next poll; the first is due first
	failures int
	answers  int // that brought something new
	problem  atomic.Pointer[string]
	thread   atomic.Int32

	requests, sent, received atomic.Int64 // sent and received are bytes
}

func newLoop(all *Clients, first, n int) *loop {
	config := all.config
	l := &loop{
		all: all, config: config, first: first,
		clients: make([]client, n),
		tally:   newTally(n, config.Messages, max(config.Publishers, 1), config.Measured),
		prefix:  []byte("tick-" + config.Nonce + "-"),
		in:      make([]byte, 64<<10),
	}
	for i := range l.clients {
		l.clients[i].fd = -1
	}
	l.endless, _ = config.Dialect.(Endless)
	l.epoll, l.epollErr = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	l.wake, l.wakeErr = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return l
}

// stop makes run end, also when it has not begun to wait.
func (l *loop) stop() {
	if l.wake >= 0 {
		unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// close gives back what newLoop took, after run.
func (l *loop) close() {
	for _, fd := range []*int{&l.epoll, &l.wake} {
		if *fd >= 0 {
			unix.Close(*fd)
		}
		*fd = -1
	}
}

func (l *loop) watch(fd, number int) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(number)})
}

// run connects the clients, tells so, and serves them until stop.
func (l *loop) run(connected chan<- error) {
	runtime.LockOSThread() // so that its CPU time can be told from others'
	defer runtime.UnlockOSThread()
	l.thread.Store(int32(unix.Gettid()))
	defer func() {
		for i := range l.clients {
			l.hangUp(i)
		}
	}()
	err := l.begin()
	connected <- err
	if err != nil {
		return
	}
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(l.epoll, events, l.wait())
		if err != nil && !errors.Is(err, unix.EINTR) {
			l.fail(err.Error())
			return
		}
		fresh := int64(0)
		for _, event := range events[:max(n, 0)] {
			if event.Fd < 0 {
				return
			}
			fresh += l.serve(int(event.Fd))
		}
		l.retryLater()
		l.pollDue()
		if fresh > 0 {
			l.all.fresh.Add(fresh)
			l.all.tell()
		}
	}
}

// begin connects all clients.
func (l *loop) begin() error {
	if err := errors.Join(l.epollErr, l.wakeErr); err != nil {
		return explain(err)
	}
	if err := l.watch(l.wake, -1); err != nil {
		return err
	}
	for i := range l.clients {
		if err := l.connect(i); err != nil {
			return fmt.Errorf("after %d polls: %w", l.first+i, err)
		}
	}
	return nil
}

func (l *loop) fail(problem string) {
	l.failures++
	l.problem.CompareAndSwap(nil, &problem)
}

func (l *loop) lost(i int, problem string) {
	l.fail(problem)
	l.hangUp(i)
	l.later(i)
}

func (l *loop) later(i int) {
	if len(l.again) == 0 {
		l.retry = time.Now().Add(retryAfter)
	}
	l.again = append(l.again, i)
}

// wait is how many milliseconds the epoll may wait.
func (l *loop) wait() int {
	var next time.Time
	switch {
	case len(l.again) == 0 && len(l.naps) == 0:
		return -1
	case len(l.naps) == 0:
		next = l.retry
	case len(l.again) == 0 || l.clients[l.naps[0]].next.Before(l.retry):
		next = l.clients[l.naps[0]].next
	default:
		next = l.retry
	}
	return max(int(time.Until(next).Milliseconds()), 0) + 1
}

func (l *loop) retryLater() {
	if len(l.again) == 0 || time.Now().Before(l.retry) {
		return
	}
	due := l.again
	l.again = nil
	for _, i := range due {
		send := l.poll
		if l.clients[i].fd < 0 {
			send = l.connect
		}
		if err := send(i); err != nil {
			l.lost(i, err.Error())
		}
	}
}

// busy is the CPU time of the loop's thread, 0 when it has ended.
func (l *loop) busy() time.Duration {
	var t unix.Timespec
	const perThread, scheduled = 4, 2 // see the clock ids in the kernel's posix-timers.h
	thread := l.thread.Load()
	if thread == 0 || unix.ClockGettime(^thread<<3|perThread|scheduled, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
