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

	"pubsub/server/rates"
	"pubsub/server/web"
)

// opened is a connection of HTTP/2 without its TLS. It sees every frame, so that two things
// are bounded which are free elsewhere:
//
//   - What reaches no handler: frames that carry nothing, and requests that are taken back.
//     They come at a rate that no honest client has, or the client waits.
//   - Requests whose handler has returned, and whose answer is not taken in, see [streams].
//
// It hides that there is TLS: net/http would expect the handshake otherwise.
type opened struct {
	net.Conn
	ours    *Conn
	conns   *Conns
	address netip.Addr
	bounded bool // false for a proxy's, which has many clients

	in   frameReader // only for the goroutine that reads
	last uint32      // stream that was begun; as in
	out  frameReader // only for the goroutine that writes

	mu      sync.Mutex // guards the next three
	spent   rates.Bucket
	earned  int                 // bytes of data that were sent, and not answered yet
	streams map[uint32]struct{} // that are open
	left    bool                // it is closed; guarded by the mu of all streams

	closed chan struct{}
	close  sync.Once
}

// errTooManyStreams closes the connection that has most of an address.
var errTooManyStreams = errors.New("the client has more requests under way than it may")

// openFrames returns a connection of HTTP/2 without its TLS.
func (o *Conns) openFrames(c *tls.Conn, ours *Conn) *opened {
	who, _, _ := o.limitsOf(ours)
	opened := &opened{
		Conn: c, ours: ours, conns: o, address: who, bounded: o.bounded, in: frameReader{skip: len(preface)},
		streams: make(map[uint32]struct{}), closed: make(chan struct{}),
	}
	ours.frames = opened
	return opened
}

// NetConn returns the connection with TLS.
func (o *opened) NetConn() net.Conn { return o.Conn }

// Read implements [net.Conn]. It waits if the client sends too much that is nothing.
func (o *opened) Read(b []byte) (int, error) {
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
			return 0, problem // with n, all would be taken for well
		}
	}
	return n, err
}

// An address may have as many requests under way as connections, and some more that are
// refused. Streams may be more than that for a moment, or for long if answers are not taken
// in. These are in halves of how many connections it may have.
const (
	crowd = 3 // then a connection with many streams waits
	full  = 6 // then the connection with most is closed
)

// longestCrowd is how long a connection with many streams waits until its address has fewer.
const longestCrowd = 20 * time.Second

// awaitRoom waits while the address has too many streams, and the connection not few of
// them. What it has sent is not passed on meanwhile, so that no handler begins with it.
func (o *opened) awaitRoom() error {
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
func (o *opened) Write(b []byte) (int, error) {
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
func (o *opened) Close() error {
	err := o.Conn.Close()
	o.close.Do(func() {
		o.conns.streams.leave(o)
		close(o.closed)
	})
	return err
}

// maxEarned bounds how many bytes a client may save up, in frames.
const maxEarned = 10_000

// earn lets the client answer so many bytes for nothing.
func (o *opened) earn(bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.earned = min(o.earned+bytes, maxEarned*bytesForAnswer)
}

// unearned returns how many of so many frames cost something.
func (o *opened) unearned(frames int) int {
	if frames == 0 {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	free := min(frames, o.earned/bytesForAnswer)
	o.earned -= free * bytesForAnswer
	return frames - free
}

// frameRate is how many frames a connection may send that cost something. Beyond that they
// count for its address, see [Conns.frameRates]. So who sends few waits for nobody.
var frameRate = rates.Rate{PerSecond: 50, Burst: 100}

// longestFrameWait is how long frames may have to wait. Then the connection is closed.
const longestFrameWait = 10 * time.Second

// pay waits until so many frames may have come, or the client is gone.
func (o *opened) pay(frames int) error {
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

// refuseFrames returns the error with which a connection ends whose client sends too much.
func (o *Conns) refuseFrames(c *opened) error {
	const reason = "frames"
	err := errors.New("the client sends frames of HTTP/2 that carry nothing, or takes its requests back, more often than it may")
	if o.responder.Refusals.Count(reason, slog.LevelInfo) {
		o.responder.Log.Info("hung up", "reason", reason, "address", c.RemoteAddr(), "error", err)
	}
	return err
}

// Counted gives back what the frame of a request has cost: its address has room for it.
func Counted(r *http.Request) {
	c := Of(r)
	if c == nil || c.frames == nil {
		return
	}
	c.frames.mu.Lock()
	defer c.frames.mu.Unlock()
	c.frames.spent.GiveBack(1)
}

// begin counts a stream, until finish. If its address has too many, a connection of it is
// closed.
func (o *opened) begin(stream uint32) {
	o.last = stream
	o.mu.Lock()
	o.streams[stream] = struct{}{}
	o.mu.Unlock()
	if most := o.conns.streams.add(o, full*o.conns.perAddress/2); most != nil {
		o.conns.closeFull(most)
	}
}

// finish stops counting a stream. It does nothing for one that is not counted.
func (o *opened) finish(stream uint32) {
	o.mu.Lock()
	_, counted := o.streams[stream]
	delete(o.streams, stream)
	o.mu.Unlock()
	if counted {
		o.conns.streams.remove(o)
	}
}

// closeFull closes a connection whose address has too many streams.
func (o *Conns) closeFull(c *opened) {
	const reason = "streams-per-address"
	if o.responder.Refusals.Count(reason, slog.LevelInfo) {
		o.responder.Log.Info("hung up", "reason", reason, "address", c.RemoteAddr(), "error", errTooManyStreams)
	}
	go c.ours.Close() // without a word, which TLS might wait for
}

// streams counts the streams of HTTP/2 that are open, of each address. A handler may have
// returned, and the client not have read the answer. Its zero value is empty.
type streams struct {
	mu        sync.Mutex
	byAddress map[netip.Addr]*addressStreams
}

type addressStreams struct {
	total int
	of    map[*opened]int
}

// fewStreams is how many streams a connection may have whose address has too many.
const fewStreams = 4

// isCrowded tells whether the address of a connection with many streams has more than a
// limit, which 0 is not.
func (s *streams) isCrowded(c *opened, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.byAddress[c.address]
	return all != nil && c.address.IsValid() && all.of[c] > fewStreams && web.Reached(all.total-1, limit)
}

// add counts a stream. If there are more than a limit, which 0 is not, it returns the
// connection that has most, and counts that no more.
func (s *streams) add(c *opened, limit int) (most *opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.left { // it was read before it was closed
		return nil
	}
	if s.byAddress == nil {
		s.byAddress = make(map[netip.Addr]*addressStreams)
	}
	all := s.byAddress[c.address]
	if all == nil {
		all = &addressStreams{of: make(map[*opened]int)}
		s.byAddress[c.address] = all
	}
	all.total++
	all.of[c]++
	if !c.address.IsValid() || !web.Reached(all.total-1, limit) {
		return nil
	}
	most = all.most()
	s.drop(most)
	return most
}

// most is the connection that has most streams.
func (a *addressStreams) most() (most *opened) {
	for c, n := range a.of {
		if most == nil || n > a.of[most] {
			most = c
		}
	}
	return most
}

func (s *streams) remove(c *opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.byAddress[c.address]
	if all == nil || all.of[c] == 0 { // the connection is counted no more
		return
	}
	if all.of[c] == 1 {
		s.drop(c)
		return
	}
	all.of[c]--
	all.total--
}

// leave counts a connection no more, whatever has been read from it.
func (s *streams) leave(c *opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.left = true
	s.drop(c)
}

// drop is leave; mu is held.
func (s *streams) drop(c *opened) {
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
