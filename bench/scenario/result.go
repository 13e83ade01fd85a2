package scenario

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"pubsub/bench/load"
	"pubsub/bench/target"
)

// Result is what one run measured. Which fields count depends on the kind.
type Result struct {
	Scenario Scenario
	Target   string
	Measured bool // CPU and memory are known

	load.Outcome               // of the messages
	Refused      int           // messages the target did not take
	Deliveries   int64         // while CPU was counted
	Wall         time.Duration // of the same
	CPU          time.Duration // the target's in that time
	Own          time.Duration // the generator's
	Traffic      load.Traffic  // of the clients in that time
	AllHave      load.Histogram

	Hangups                   int
	Memory0, Memory1, Memory2 int64 // before, during and after the polls, in bytes
	Files0, Files2            int   // before and after
	Warnings                  []string
}

// PerDelivery is the target's CPU time for one message delivered to one
// client, with the client's next poll.
func (r Result) PerDelivery() time.Duration { return share(r.CPU, r.Deliveries) }

// PerHangup is the target's CPU time for one poll and its hang-up.
func (r Result) PerHangup() time.Duration { return share(r.CPU, int64(r.Hangups)) }

// PerPoll is the memory of a pending poll in bytes.
func (r Result) PerPoll() float64 {
	return float64(r.Memory1-r.Memory0) / float64(r.Scenario.Polls)
}

// LostShare is the share of the messages due that did not come, 0 to 1.
// Messages that the target refused or never answered count: to the reader they
// are lost as well.
func (r Result) LostShare() float64 {
	unsent := r.Refused * r.Scenario.Polls
	if due := r.Got + r.Lost + unsent; due > 0 {
		return float64(r.Lost+unsent) / float64(due)
	}
	return 0
}

func share(d time.Duration, n int64) time.Duration {
	if n == 0 {
		return 0
	}
	return d / time.Duration(n)
}

func (r *Result) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// meter counts time and CPU from a moment on.
type meter struct {
	target    *target.Target
	clients   *load.Clients // nil without
	begin     time.Time
	cpu, own  time.Duration
	busy      time.Duration
	delivered int64
	traffic   load.Traffic
}

func startMeter(t *target.Target, clients *load.Clients) meter {
	m := meter{target: t, clients: clients, begin: time.Now(), cpu: t.CPU(), own: ownCPU()}
	if clients != nil {
		m.busy, m.delivered, m.traffic = clients.Busy(), clients.Fresh(), clients.Traffic()
	}
	return m
}

// stop adds what has been counted to the result and returns the share of the
// time in which the busiest loop worked.
func (m meter) stop(r *Result) (busy float64) {
	wall := time.Since(m.begin)
	r.Wall += wall
	r.CPU += m.target.CPU() - m.cpu
	r.Own += ownCPU() - m.own
	if m.clients == nil {
		return 0
	}
	r.Deliveries += m.clients.Fresh() - m.delivered
	r.Traffic = r.Traffic.Plus(m.clients.Traffic().Minus(m.traffic))
	return (m.clients.Busy() - m.busy).Seconds() / wall.Seconds()
}

// bottleneck warns when it may have been the generator that was slow.
func (r *Result) bottleneck(busy float64, late *load.Histogram) {
	cores := float64(runtime.NumCPU())
	own, theirs := r.Own.Seconds()/r.Wall.Seconds(), r.CPU.Seconds()/r.Wall.Seconds()
	const full = 0.85
	switch {
	case busy > full:
		r.warn("the generator was the bottleneck: its reading thread worked %.0f %% of the time", 100*busy)
	case own > full*(cores-theirs):
		r.warn("the machine was full: of %.0f cores the generator used %.2f and the target %.2f", cores, own, theirs)
	}
	if p99 := late.Quantile(0.99); p99 > 10*time.Millisecond {
		r.warn("the generator fell behind: of 100 messages one was sent %s late", p99.Round(time.Millisecond))
	}
}

// ownCPU is what this process has computed.
func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
