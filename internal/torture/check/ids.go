package check

// stretch is what a reader reads from one beginning to the next: it asks each time for
// what comes after its last answer. A gap that says that the log began anew ends it.
type stretch struct {
	reader  int
	channel string
	opened  int // when its first answer came

	// With ids:
	log   *life
	left  *life  // the log that the reader was told is no more; nil if it was not told
	high  uint64 // all up to here was read, or told as expired, or is in holes
	holes []hole
	last  float64 // timestamp of the message with the highest id

	// Without ids:
	seen   map[*post]bool
	newest int // the latest begin of a post that was read
}

// hole is a range of ids that a reader passed over. Whether something was lost in it
// shows in the end: an acknowledgement may come late, and so may the messages.
type hole struct {
	from, to uint64
	between  bool // two answers, not in one
}

func (op Answered) apply(c *Checker) {
	c.counts.Answers++
	c.counts.Read += len(op.Messages)
	if op.Gap != nil {
		c.tell(&op)
	}
	if c.options.ByText {
		c.answeredByText(&op)
		return
	}
	s := c.stretchFor(&op)
	for i, m := range op.Messages {
		c.message(s, m, i == 0)
	}
	s.pass(op.Next.ID, true)
}

// stretchFor returns the stretch that the answer belongs to, which may be a new one.
func (c *Checker) stretchFor(a *Answered) *stretch {
	s, log := c.readers[a.Reader], c.channel(a.Channel).log(a.Next.Epoch)
	switch {
	case s == nil || a.Fresh:
		return c.open(a, log)
	case a.Gap != nil && a.Gap.Reason != "expired":
		log.setBack = log.setBack || log == s.log
		left := s.log
		s = c.open(a, log)
		s.left = left
		return s
	case log != s.log && s.beforeAll():
		s.log = log
	case log != s.log:
		c.faults.add(UntoldGap, "reader %d in %s came into a log that began anew, and was not told", a.Reader, a.Channel)
		return c.open(a, log)
	}
	if a.Gap != nil {
		c.expired(s, a)
	}
	return s
}

// beforeAll tells whether the reader stands before the first message of a channel that
// nobody had posted to. Such a channel has no log yet, and gets an epoch with the first
// post.
func (s *stretch) beforeAll() bool { return s.high == 0 && len(s.log.at) == 0 }

// open begins a stretch. What the reader knew of ids before counts no more.
func (c *Checker) open(a *Answered, log *life) *stretch {
	if before := c.readers[a.Reader]; before != nil {
		c.ended = append(c.ended, before)
	}
	s := &stretch{reader: a.Reader, channel: a.Channel, opened: c.clock, log: log, high: beginning(a), seen: make(map[*post]bool)}
	c.readers[a.Reader] = s
	return s
}

// beginning is the id before the first of an answer.
func beginning(a *Answered) uint64 {
	if len(a.Messages) > 0 {
		return a.Messages[0].ID - 1
	}
	return a.Next.ID
}

// expired compares what the reader is told to have missed with the ids.
func (c *Checker) expired(s *stretch, a *Answered) {
	begin := beginning(a)
	if begin != s.high+a.Gap.Missed || a.Gap.Missed == 0 {
		c.faults.add(WrongMissed, "reader %d in %s was after id %d, is told that %d are missing, and goes on after id %d", s.reader, s.channel, s.high, a.Gap.Missed, begin)
	}
	s.high = max(s.high, begin)
}

// message judges a message of an answer; first is true for the first of the answer.
func (c *Checker) message(s *stretch, m Message, first bool) {
	inOrder := m.ID > s.high
	switch {
	case inOrder:
		s.pass(m.ID-1, first)
		s.high = m.ID
	case s.fill(m.ID):
		c.faults.add(OutOfOrder, "reader %d in %s was given id %d after id %d", s.reader, s.channel, m.ID, s.high)
	default:
		c.faults.add(Doubled, "reader %d in %s was given id %d twice", s.reader, s.channel, m.ID)
	}
	if inOrder && m.Timestamp != 0 {
		if m.Timestamp <= s.last {
			c.faults.add(Timestamps, "reader %d in %s: id %d is of %.6f, and one before it of %.6f", s.reader, s.channel, m.ID, m.Timestamp, s.last)
		}
		s.last = m.Timestamp
	}
	c.content(s, m)
}

// content judges whose message it is that has the id.
func (c *Checker) content(s *stretch, m Message) {
	p := c.known(s, m)
	if p == nil {
		return
	}
	p.read = true
	if s.left != nil && p.tries == 1 && p.in(s.left) == m.ID {
		s.left.setBack = true
	}
	rival := s.log.put(m.ID, p)
	if rival != nil && rival.acked > 0 && rival.begun > s.opened {
		c.faults.add(Lost, "reader %d in %s was given post %d with id %d, which post %d was acknowledged with", s.reader, s.channel, p.number, m.ID, rival.number)
	}
}

// known returns the post that a message is of. It returns nil if nobody posted it there.
func (c *Checker) known(s *stretch, m Message) *post {
	p := c.texts[m.Text]
	if p != nil && p.channel == s.channel {
		return p
	}
	if c.options.Shared {
		c.counts.Foreign++
	} else {
		c.faults.add(Invented, "reader %d in %s was given id %d with %.60q, which nobody posted there", s.reader, s.channel, m.ID, m.Text)
	}
	return nil
}

// pass goes on to an id. What has not been read until there is a hole.
func (s *stretch) pass(id uint64, between bool) {
	if id <= s.high {
		return
	}
	s.holes = append(s.holes, hole{s.high + 1, id, between})
	s.high = id
}

// fill takes an id out of the holes. It returns false if it is in none.
func (s *stretch) fill(id uint64) bool {
	for i, h := range s.holes {
		if id < h.from || id > h.to {
			continue
		}
		s.holes = append(s.holes[:i:i], s.holes[i+1:]...)
		if id > h.from {
			s.holes = append(s.holes, hole{h.from, id - 1, h.between})
		}
		if id < h.to {
			s.holes = append(s.holes, hole{id + 1, h.to, h.between})
		}
		return true
	}
	return false
}

// owes tells whether the reader was to be given the message with an id. Of a log that was
// set back, only what was posted since the reader was told of it counts: of all else it
// cannot be known whether it was before or after.
func (s *stretch) owes(id uint64) bool {
	return s.log.holds(id) && (!s.log.setBack || s.log.at[id].begun > s.opened)
}

// unread are the ids after the last that the reader has, and is still to be given.
func (s *stretch) unread() (ids []uint64) {
	for id := s.high + 1; id <= s.log.lastAcked && id-s.high < maxHole; id++ {
		if s.owes(id) {
			ids = append(ids, id)
		}
	}
	return ids
}
