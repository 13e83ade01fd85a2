package presence

import "pubsub/server/roster"

// change is a person who has come to this process, or left it.
type change struct {
	roster.Person
	joined bool
}

// changes collects changes for the roster. The owner of a changes guards it by a lock.
type changes struct {
	wake  chan struct{} // holds a token when there are changes
	max   int           // with more changes all are dropped; 0 is no bound
	all   []change
	lost  bool // changes were dropped
	ended bool // take is not called any more

	next    chan struct{} // closed when the roster has all changes so far
	current chan struct{} // closed when the roster has the changes of the last take; nil before the first
}

func newChanges() changes {
	return changes{wake: make(chan struct{}, 1), next: make(chan struct{})}
}

func (c *changes) add(one change) {
	if c.ended {
		return
	}
	if c.all = append(c.all, one); c.max > 0 && len(c.all) > c.max {
		c.all, c.lost = nil, true
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *changes) take() (all []change, lost bool, done func()) {
	all, lost, taken := c.all, c.lost, c.next
	c.all, c.lost, c.current, c.next = nil, false, taken, make(chan struct{})
	return all, lost, func() { close(taken) }
}

func (c *changes) taken() <-chan struct{} {
	switch {
	case c.ended:
		return nil
	case len(c.all) > 0:
		return c.next
	}
	return c.current
}
