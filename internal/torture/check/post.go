package check

// post is one message that somebody wants to have published.
type post struct {
	number        int
	channel, text string
	tries         int
	begun         int // when it was first sent, by the checker's clock
	acked         int // when it was first acknowledged; 0 if it was not
	failed, read  bool
	places        []placed // where it was acknowledged or read: nearly always one
}

// placed is a post's id in one life of its channel's log.
type placed struct {
	log *life
	id  uint64
}

// in returns the post's first id in a log, and 0 if it was not seen there.
func (p *post) in(log *life) uint64 {
	for _, at := range p.places {
		if at.log == log {
			return at.id
		}
	}
	return 0
}

// lastLog is where an acknowledged post was acknowledged or read last.
func (p *post) lastLog() *life { return p.places[len(p.places)-1].log }

func (op Begun) apply(c *Checker) {
	p := &post{number: op.Post, channel: op.Channel, text: op.Text, tries: 1, begun: c.clock}
	c.posts[op.Post], c.texts[op.Text] = p, p
	ch := c.channel(op.Channel)
	ch.posts = append(ch.posts, p)
	c.counts.Posted++
}

func (op Again) apply(c *Checker) { c.posts[op.Post].tries++ }

func (op Failed) apply(c *Checker) {
	c.posts[op.Post].failed = true
	c.counts.Failed++
}

func (op Acknowledged) apply(c *Checker) {
	p := c.posts[op.Post]
	if p.acked == 0 {
		p.acked = c.clock
		c.counts.Acknowledged++
	}
	if c.options.ByText {
		return
	}
	ch := c.channel(p.channel)
	log := ch.log(op.Place.Epoch)
	ch.latest, log.lastAcked = log, max(log.lastAcked, op.Place.ID)
	log.put(op.Place.ID, p)
}

// apply asks for the post in what the short poll shows. If the log began anew in the
// meantime, nothing is promised: readers are told of that.
func (op Glanced) apply(c *Checker) {
	c.counts.Glanced++
	p := c.posts[op.Post]
	log := c.channel(p.channel).log(op.Next.Epoch)
	id := p.in(log)
	if id == 0 || shows(op, id, p.text) {
		return
	}
	log.doubts.add(Stale, "post %d in %s was acknowledged with id %d; a short poll after that ends at %d without it", p.number, p.channel, id, op.Next.ID)
}

// shows tells whether a glance has the message, or the message is too old to be in it.
func shows(g Glanced, id uint64, text string) bool {
	if g.Next.ID < id {
		return false
	}
	for _, m := range g.Messages {
		if m.ID == id {
			return m.Text == text
		}
	}
	return len(g.Messages) == 0 || g.Messages[0].ID > id
}
