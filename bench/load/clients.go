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
}

// Clients are long-polling clients: each asks, is answered, and asks again at
// once. They are served by a few threads with an epoll each; one of them costs
// a socket and some hundred bytes.
type Clients struct {
	config *Config
	loops  []*loop
	ended  sync.WaitGroup

	fresh    atomic.Int64  // messages that a client had for the first time
	progress chan struct{} // has one when fresh has grown
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
	end, silent := time.NewTimer(limit), time.NewTimer(patience)
	defer end.Stop()
	defer silent.Stop()
	for c.Fresh() < fresh {
		select {
		case <-c.progress:
			silent.Reset(patience)
		case <-silent.C:
			return c.Fresh() >= fresh
		case <-end.C:
			return c.Fresh() >= fresh
		}
	}
	return true
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
				out.Lost += l.tally.missing(len(l.clients), m)
			}
		}
	}
	return out
}

// missing is how many clients did not have a message.
func (t *tally) missing(clients, message int) int {
	n := 0
	for client := range clients {
		if t.seen[client*words(t.total)+message/64]>>(message%64)&1 == 0 {
			n++
		}
	}
	return n
}

// String tells a person how it went, in one line.
func (o Outcome) String() string {
	return fmt.Sprintf("%d delivered, %d lost, %d doubled, %d out of order", o.Got, o.Lost, o.Doubled, o.Disordered)
}
