package check

// Options say what to expect of a server. The zero value is a server that numbers its
// messages and keeps what it acknowledged, or tells what it lost.
type Options struct {
	ByText     bool // messages have no ids: they are told apart by their texts
	Unpromised bool // with ByText: what a reader was not given is counted, and no fault
	Shared     bool // others may post to the channels, too
	NoGaps     bool // a gap is a fault even if it is told
}

// Checker judges a history. It takes constant time for each message that is posted or
// read. It is not safe for concurrent use.
type Checker struct {
	options  Options
	clock    int // operations fed so far; it tells what came before what
	posts    map[int]*post
	texts    map[string]*post
	channels map[string]*channel
	readers  map[int]*stretch // the last stretch of each
	ended    []*stretch       // all others
	counts   Counts
	faults   faults
}

// New returns a checker that has been fed nothing.
func New(options Options) *Checker {
	return &Checker{
		options:  options,
		posts:    make(map[int]*post),
		texts:    make(map[string]*post),
		channels: make(map[string]*channel),
		readers:  make(map[int]*stretch),
		faults:   make(faults),
	}
}

// Feed adds the next operation. It panics if the operation is about a post that has not
// begun.
func (c *Checker) Feed(op Op) {
	c.clock++
	op.apply(c)
}

// Counts are what has been fed so far.
func (c *Checker) Counts() Counts { return c.counts }

// Faults is how many faults are certain so far. Others show only in the end.
func (c *Checker) Faults() (n int) {
	for _, f := range c.faults {
		n += f.Count
	}
	return n
}

// tell counts a gap that a reader was told.
func (c *Checker) tell(a *Answered) {
	if c.options.NoGaps {
		c.faults.add(GapTold, "reader %d in %s was told %q", a.Reader, a.Channel, a.Gap.Reason)
	}
	switch a.Gap.Reason {
	case "expired":
		c.counts.Expired++
		c.counts.Missed += int(a.Gap.Missed)
	case "ahead":
		c.counts.Ahead++
	default:
		c.counts.Restarted++
	}
}

// channel is what is known of a channel.
type channel struct {
	posts  []*post          // in the order in which they began
	logs   map[string]*life // by epoch
	latest *life            // that of the last acknowledgement
}

func (c *Checker) channel(name string) *channel {
	ch := c.channels[name]
	if ch == nil {
		ch = &channel{logs: make(map[string]*life)}
		c.channels[name] = ch
	}
	return ch
}
