package conns

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"pubsub/server/fairshare"
	"pubsub/server/rates"
)

// http2Conn is an HTTP/2 connection without its TLS. It sees every frame, and limits two things
// that net/http does not:
//
//   - Work that reaches no handler: empty frames, and requests that are reset. A client that
//     sends more of them than any honest client is slowed down.
//   - Requests whose handler has returned and whose answer is not read, see [streams].
//
// It hides the TLS, because net/http would expect to make the handshake otherwise.
type http2Conn struct {
	net.Conn
	ours    *Conn
	conns   *Conns
	address netip.Addr
	bounded bool // false behind a proxy, which has many clients

	in   frameReader // only for the goroutine that reads
	last uint32      // the last stream begun; only for the goroutine that reads
	out  frameReader // only for the goroutine that writes

	mu      sync.Mutex // guards spent, earned and streams; no other lock is taken under it
	spent   rates.Bucket
	earned  int                 // bytes of data that were sent and not answered yet
	streams map[uint32]struct{} // the open ones
	left    bool                // the connection is closed; guarded by streams.mu

	closed chan struct{}
	close  sync.Once
}

// errTooManyStreams closes the connection with most streams of its address.
var errTooManyStreams = errors.New("the client has more requests under way than it may")

// openFrames returns an HTTP/2 connection without its TLS.
func (o *Conns) openFrames(c *tls.Conn, ours *Conn) *http2Conn {
	who, _, _ := o.limitsOf(ours)
	opened := &http2Conn{
		Conn: c, ours: ours, conns: o, address: who, bounded: o.bounded, in: frameReader{skip: len(preface)},
		streams: make(map[uint32]struct{}), closed: make(chan struct{}),
	}
	ours.frames = opened
	return opened
}

// NetConn returns the connection with its TLS.
func (o *http2Conn) NetConn() net.Conn { return o.Conn }

// Read implements [net.Conn]. It waits while the client sends too many frames that cost
// something.
func (o *http2Conn) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	if !o.bounded {
		return n, err
	}
	costs, answers, began := 0, 0, false
	o.in.each(b[:n], func(f frame) {
		switch {
		case f.answers():
			answers++
		case f.isCostly():
			costs++
		}
		switch {
		case f.kind == headers && f.stream > o.last:
			o.begin(f.stream)
			began = true
		case f.kind == resets:
			o.finish(f.stream)
		}
	})
	if problem := o.pay(costs + o.unearned(answers)); problem != nil {
		return 0, problem
	}
	if began {
		if problem := o.awaitRoom(); problem != nil {
			return 0, problem // not with n, or net/http would handle the bytes that were read
		}
	}
	return n, err
}

// An address may have as many requests under way as connections, and some more that are
// refused. It may have more streams than that for a moment, or for long if its clients do not
// read the answers. Each limit is in halves of how many connections an address may have.
const (
	crowd = 3 // from then on a connection with many streams waits
	full  = 6 // from then on the connection with most streams is closed
)

// longestCrowd is how long a connection with many streams waits for its address to have
// fewer.
const longestCrowd = 20 * time.Second

// awaitRoom waits while the address has too many streams and the connection has more than a
// few of them. Meanwhile no handler begins, because what was read is not passed on.
func (o *http2Conn) awaitRoom() error {
	const again = 100 * time.Millisecond
	for waited := time.Duration(0); o.conns.streams.isCrowded(o, crowd*o.conns.perAddress/2); waited += again {
		if waited >= longestCrowd {
			return errTooManyStreams
		}
		select {
		case <-time.After(again):
		case <-o.ours.context.Done():
			return errTooManyStreams
		}
	}
	return nil
}

// Write implements [net.Conn].
func (o *http2Conn) Write(b []byte) (int, error) {
	if o.bounded {
		o.out.each(b, func(f frame) {
			if f.kind == data {
				o.earn(f.length)
			}
			if f.kind == resets || f.ends() {
				o.finish(f.stream)
			}
		})
	}
	return o.Conn.Write(b)
}

// Close implements [net.Conn].
func (o *http2Conn) Close() error {
	err := o.Conn.Close()
	o.close.Do(func() {
		o.conns.streams.leave(o)
		close(o.closed)
	})
	return err
}

// maxEarned is how many free frames a client may save up.
const maxEarned = 10_000

// earn counts data that was sent: the client may answer it for free.
func (o *http2Conn) earn(bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.earned = min(o.earned+bytes, maxEarned*bytesForAnswer)
}

// unearned returns how many of the frames are not free.
func (o *http2Conn) unearned(frames int) int {
	if frames == 0 {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	free := min(frames, o.earned/bytesForAnswer)
	o.earned -= free * bytesForAnswer
	return frames - free
}

// frameRate is how many frames that cost something a connection may send by itself. Frames
// beyond it count for the address, see [Conns.frameRates]. So a client that sends few never
// waits for others of its address.
var frameRate = rates.Rate{PerSecond: 50, Burst: 100}

// longestFrameWait is how long frames may have to wait. If it would be longer, the connection
// is closed.
const longestFrameWait = 10 * time.Second

// pay waits until the frames are within the rates, or the client is gone.
func (o *http2Conn) pay(frames int) error {
	if frames == 0 {
		return nil
	}
	o.mu.Lock()
	lacking := o.spent.Take(frameRate, float64(frames))
	o.mu.Unlock()
	if lacking == 0 {
		return nil
	}
	wait, ok := o.conns.frameRates.Promise(o.address, lacking, longestFrameWait)
	if !ok {
		return o.conns.refuseFrames(o)
	}
	select {
	case <-time.After(wait):
	case <-o.ours.context.Done():
	}
	return nil
}

// refuseFrames logs that a client sends too many frames, and returns the error that ends its
// connection.
func (o *Conns) refuseFrames(c *http2Conn) error {
	const reason = "frames"
	err := errors.New("the client sends frames of HTTP/2 that carry nothing, or takes its requests back, more often than it may")
	if o.responder.Refusals.Count(reason, slog.LevelInfo) {
		o.responder.Log.Info("hung up", "reason", reason, "address", c.RemoteAddr(), "error", err)
	}
	return err
}

// RefundFrame gives back the cost of a request's frame, once the request is counted for its
// address.
func RefundFrame(r *http.Request) {
	c := Of(r)
	if c == nil || c.frames == nil {
		return
	}
	c.frames.mu.Lock()
	defer c.frames.mu.Unlock()
	c.frames.spent.GiveBack(1)
}

// begin counts a stream, until finish. If the address has too many streams, begin closes the
// connection that has most of them.
func (o *http2Conn) begin(stream uint32) {
	o.last = stream
	o.mu.Lock()
	o.streams[stream] = struct{}{}
	o.mu.Unlock()
	if most := o.conns.streams.add(o, full*o.conns.perAddress/2); most != nil {
		o.conns.closeFull(most)
	}
}

// finish stops counting a stream. It does nothing for a stream that is not counted.
func (o *http2Conn) finish(stream uint32) {
	o.mu.Lock()
	_, counted := o.streams[stream]
	delete(o.streams, stream)
	o.mu.Unlock()
	if counted {
		o.conns.streams.remove(o)
	}
}

// closeFull closes a connection whose address has too many streams.
func (o *Conns) closeFull(c *http2Conn) {
	const reason = "streams-per-address"
	if o.responder.Refusals.Count(reason, slog.LevelInfo) {
		o.responder.Log.Info("hung up", "reason", reason, "address", c.RemoteAddr(), "error", errTooManyStreams)
	}
	go c.ours.Close() // beneath the TLS, whose close may wait
}

// streams counts the open HTTP/2 streams of each address. A stream stays open after its
// handler has returned, until the client has read the answer. The zero value is empty.
type http2Streams struct {
	mu        sync.Mutex // guards byAddress and http2Conn.left; no other lock is taken under it
	byAddress map[netip.Addr]*addressStreams
}

type addressStreams struct {
	total int
	of    map[*http2Conn]int
}

// fewStreams is how many streams a connection may have while its address has too many.
const fewStreams = 4

// isCrowded tells whether the connection has many streams and its address more than the
// limit. A limit of 0 is none.
func (s *http2Streams) isCrowded(c *http2Conn, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.byAddress[c.address]
	return all != nil && c.address.IsValid() && all.of[c] > fewStreams && fairshare.Reached(all.total-1, limit)
}

// add counts a stream. If the address has more than the limit, add returns the connection
// that has most streams, and counts that connection no more. A limit of 0 is none.
func (s *http2Streams) add(c *http2Conn, limit int) (most *http2Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.left { // read, but not passed on before the connection was closed
		return nil
	}
	if s.byAddress == nil {
		s.byAddress = make(map[netip.Addr]*addressStreams)
	}
	all := s.byAddress[c.address]
	if all == nil {
		all = &addressStreams{of: make(map[*http2Conn]int)}
		s.byAddress[c.address] = all
	}
	all.total++
	all.of[c]++
	if !c.address.IsValid() || !fairshare.Reached(all.total-1, limit) {
		return nil
	}
	most = all.most()
	s.drop(most)
	return most
}

// most returns the connection that has most streams.
func (a *addressStreams) most() (most *http2Conn) {
	for c, n := range a.of {
		if most == nil || n > a.of[most] {
			most = c
		}
	}
	return most
}

func (s *http2Streams) remove(c *http2Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.byAddress[c.address]
	if all == nil || all.of[c] == 0 { // the connection is not counted any more
		return
	}
	if all.of[c] == 1 {
		s.drop(c)
		return
	}
	all.of[c]--
	all.total--
}

// leave stops counting a connection for good. Streams that were read before do not count
// either.
func (s *http2Streams) leave(c *http2Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.left = true
	s.drop(c)
}

// drop stops counting a connection. mu is held.
func (s *http2Streams) drop(c *http2Conn) {
	all := s.byAddress[c.address]
	if all == nil {
		return
	}
	all.total -= all.of[c]
	delete(all.of, c)
	if len(all.of) == 0 {
		delete(s.byAddress, c.address)
	}
}
