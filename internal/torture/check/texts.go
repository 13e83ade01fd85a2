package check

import "slices"

// answeredByText judges an answer of a server that does not number its messages. What
// must come first is known only of two posts of which one was acknowledged before the
// other began.
func (c *Checker) answeredByText(a *Answered) {
	s := c.readers[a.Reader]
	if s == nil || a.Fresh {
		s = c.open(a, c.channel(a.Channel).log(""))
	}
	for _, m := range a.Messages {
		if p := c.known(s, m); p != nil {
			c.text(s, p)
		}
	}
}

func (c *Checker) text(s *stretch, p *post) {
	p.read = true
	switch {
	case s.seen[p] && p.tries > 1:
		c.counts.Repeats++ // the server knows no keys
	case s.seen[p]:
		c.faults.add(Doubled, "reader %d in %s was given post %d twice", s.reader, s.channel, p.number)
	case p.acked > 0 && p.acked < s.newest:
		c.faults.add(OutOfOrder, "reader %d in %s was given post %d after one that began when that was acknowledged", s.reader, s.channel, p.number)
	}
	s.seen[p] = true
	s.newest = max(s.newest, p.begun)
}

// missing are the posts that the reader should have: it was there already when they
// began, and they were acknowledged.
func (c *Checker) missing(s *stretch) (posts []*post) {
	for _, p := range c.channels[s.channel].posts {
		if p.acked > 0 && p.begun > s.opened && !s.seen[p] {
			posts = append(posts, p)
		}
	}
	return posts
}

// awaits tells whether the reader may still be given something. What was acknowledged
// before a post began that the reader has does not come any more.
func (c *Checker) awaits(s *stretch) bool {
	return slices.ContainsFunc(c.missing(s), func(p *post) bool { return p.acked >= s.newest })
}

// endByText finds out in the end what a reader was not given.
func (c *Checker) endByText(s *stretch, v *Verdict) {
	for _, p := range c.missing(s) {
		switch {
		case c.options.Unpromised:
			v.NotPromised++
		case p.acked < s.newest:
			v.Faults.add(Lost, "reader %d in %s was not given post %d", s.reader, s.channel, p.number)
		default:
			v.Faults.add(Unread, "reader %d in %s was not given post %d until the end", s.reader, s.channel, p.number)
		}
	}
}
