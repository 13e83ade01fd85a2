package load

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what clients and publishers of one run share.
type Config struct {
	Addr    netip.AddrPort
	Host    string // for the Host field
	Dialect Dialect
	Channel string
	Nonce   string    // tells this run's messages from others'
	Base    time.Time // from which times in messages count
	Size    int       // of a message's text in bytes

	Messages   int // in the whole run
	Measured   int // the first message that counts; those before it warm up
	Publishers int // messages are dealt to them in turn

	Loops int // threads that read

	// Every is how long a client waits between two polls, from one's sending to
	// the next one's; 0 is not at all. The clients do not ask in step.
	Every time.Duration
	// DeafEvery makes each so-manyeth client one that opens a stream and never
	// reads it. Nothing is expected of these; 0 is none.
	DeafEvery int
}

// Clients are long-polling clients: each asks, is answered, and asks again at
// once. With an [Endless] dialect each opens a stream and reads it. They are
// served by a few threads with an epoll each; one of them costs a socket and
// some hundred bytes.
type Clients struct {
	config *Config
	loops  []*loop
	ended  sync.WaitGroup

	fresh    atomic.Int64  // messages that a client had for the first time
	opened   atomic.Int64  // streams, with those that were opened again
	progress chan struct{} // has one when one of these has grown
}

// Connect starts n clients and returns when each has sent its first poll.
func Connect(config *Config, n int) (*Clients, error) {
	c := &Clients{config: config, progress: make(chan struct{}, 1)}
	connected := make(chan error, config.Loops)
	for i := range config.Loops {
		first, next := n*i/config.Loops, n*(i+1)/config.Loops
		l := newLoop(c, first, next-first)
		c.loops = append(c.loops, l)
		c.ended.Go(func() { l.run(connected) })
	}
	var failed error
	for range config.Loops {
		if err := <-connected; err != nil {
			failed = err
		}
	}
	if failed != nil {
		c.Hangup()
		return nil, failed
	}
	return c, nil
}

// Fresh is how many messages were delivered, each client's each once, with
// those that warm up. The clients have asked again after them.
func (c *Clients) Fresh() int64 { return c.fresh.Load() }

// Await waits until that many messages were delivered. It gives up when for
// patience there was none, or not enough after limit, and returns false.
func (c *Clients) Await(fresh int64, patience, limit time.Duration) bool {
	return c.await(&c.fresh, fresh, patience, limit)
}

// AwaitOpen is Await for so many streams to be open. Without an [Endless]
// dialect there is nothing to wait for.
func (c *Clients) AwaitOpen(streams int64, patience, limit time.Duration) bool {
	if _, is := c.config.Dialect.(Endless); !is {
		return true
	}
	return c.await(&c.opened, streams, patience, limit)
}

func (c *Clients) await(count *atomic.Int64, wanted int64, patience, limit time.Duration) bool {
	end, silent := time.NewTimer(limit), time.NewTimer(patience)
	defer end.Stop()
	defer silent.Stop()
	for count.Load() < wanted {
		select {
		case <-c.progress:
			silent.Reset(patience)
		case <-silent.C:
			return count.Load() >= wanted
		case <-end.C:
			return count.Load() >= wanted
		}
	}
	return true
}

// tell says that a count has grown.
func (c *Clients) tell() {
	select {
	case c.progress <- struct{}{}:
	default:
	}
}

// Traffic is what clients have sent and received on their connections so far,
// without what TCP and IP add.
type Traffic struct{ Requests, Sent, Received int64 }

// Plus is the sum.
func (t Traffic) Plus(other Traffic) Traffic {
	return Traffic{t.Requests + other.Requests, t.Sent + other.Sent, t.Received + other.Received}
}

// Minus is what came after other.
func (t Traffic) Minus(other Traffic) Traffic {
	return t.Plus(Traffic{-other.Requests, -other.Sent, -other.Received})
}

// Traffic sums up all clients.
func (c *Clients) Traffic() (t Traffic) {
	for _, l := range c.loops {
		t.Requests += l.requests.Load()
		t.Sent += l.sent.Load()
		t.Received += l.received.Load()
	}
	return t
}

// Busy is how long the busiest loop has worked: the clients can be no faster
// than it.
func (c *Clients) Busy() time.Duration {
	var busiest time.Duration
	for _, l := range c.loops {
		busiest = max(busiest, l.busy())
	}
	return busiest
}

// Problem is an example of what went wrong so far, "" if nothing did.
func (c *Clients) Problem() string {
	for _, l := range c.loops {
		if p := l.problem.Load(); p != nil {
			return *p
		}
	}
	return ""
}

// Hangup ends all connections and waits for the loops. It may be called again.
func (c *Clients) Hangup() {
	for _, l := range c.loops {
		l.stop()
	}
	c.ended.Wait()
	for _, l := range c.loops {
		l.close()
	}
}

// Outcome is what clients were given of the measured messages.
type Outcome struct {
	Got, Doubled, Disordered int
	Lost                     int // by some client, of the accepted messages
	Answers                  int // that brought something new, with those of the warm-up
	Fresh                    int // messages in those answers
	Failures                 int // answers that were no answer, and connections lost
	Problem                  string
	Latency                  Histogram
}

// Outcome sums up after Hangup. accepted tells which messages the target took.
func (c *Clients) Outcome(accepted func(message int) bool) Outcome {
	out := Outcome{Problem: c.Problem(), Fresh: int(c.Fresh())}
	for _, l := range c.loops {
		out.Got += l.tally.Got
		out.Doubled += l.tally.Doubled
		out.Disordered += l.tally.Disordered
		out.Latency.Merge(&l.tally.Latency)
		out.Failures += l.failures
		out.Answers += l.answers
		for m := c.config.Measured; m < c.config.Messages; m++ {
			if accepted(m) {
				out.Lost += l.missing(m)
			}
		}
	}
	return out
}

// missing is how many clients that read did not have a message.
func (l *loop) missing(message int) (n int) {
	for i := range l.clients {
		if !l.deaf(i) && !l.tally.has(i, message) {
			n++
		}
	}
	return n
}

// String tells a person how it went, in one line.
func (o Outcome) String() string {
	return fmt.Sprintf("%d delivered, %d lost, %d doubled, %d out of order", o.Got, o.Lost, o.Doubled, o.Disordered)
}
