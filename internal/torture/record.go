package torture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pubsub/internal/torture/check"
)

// record is what has happened. It is safe for concurrent use.
type record struct {
	mu      sync.Mutex // guards all below
	checker *check.Checker
	posts   int
	trouble map[int]bool // posts in trouble: true if they were refused, false if unanswered
	numbers numbers
}

// numbers are of no interest to the checker.
type numbers struct {
	refused, unanswered, cuts, missedAnswers int
	longestRefused, longestUnanswered        time.Duration // until a post was acknowledged
	lastError                                error
}

// keep keeps an error for the verdict, unless it only says that all is over.
func (n *numbers) keep(err error) {
	if !errors.Is(err, context.Canceled) {
		n.lastError = err
	}
}

func newRecord(o *options) *record {
	expected := o.dialect.expected()
	expected.NoGaps = o.noGaps
	return &record{checker: check.New(expected), trouble: make(map[int]bool)}
}

func (r *record) feed(op check.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checker.Feed(op)
}

// begin gives a post its number.
func (r *record) begin(channel, text string) (number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts++
	r.checker.Feed(check.Begun{Post: r.posts, Channel: channel, Text: text})
	return r.posts
}

// acknowledge notes that a post is there, which was begun at some time.
func (r *record) acknowledge(number int, place check.Place, began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checker.Feed(check.Acknowledged{Post: number, Place: place})
	refused, late := r.trouble[number]
	delete(r.trouble, number)
	switch took := time.Since(began); {
	case late && refused:
		r.numbers.longestRefused = max(r.numbers.longestRefused, took)
	case late:
		r.numbers.longestUnanswered = max(r.numbers.longestUnanswered, took)
	}
}

// refuse notes that a post was not acknowledged.
func (r *record) refuse(number int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers.keep(err)
	_, refused := errors.AsType[*refusal](err)
	if refused {
		r.numbers.refused++
	} else {
		r.numbers.unanswered++
	}
	r.trouble[number] = r.trouble[number] || refused
}

// fail notes that a post was given up.
func (r *record) fail(number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.trouble, number)
	r.checker.Feed(check.Failed{Post: number})
}

func (r *record) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers.cuts++
}

// missAnswer notes that a poll was refused or not answered.
func (r *record) missAnswer(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers.missedAnswers++
	r.numbers.keep(err)
}

// progress is a number that rises as long as something goes on, and how many readers have
// something still to read.
func (r *record) progress() (done, behind int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.checker.Counts()
	return c.Acknowledged + c.Failed + c.Read + c.Gaps(), r.checker.Behind()
}

func (r *record) line() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, n := r.checker.Counts(), r.numbers
	return fmt.Sprintf("posted %d  acknowledged %d  read %d  refused %d  unanswered %d  gaps %d  faults %d",
		c.Posted, c.Acknowledged, c.Read, n.refused, n.unanswered, c.Gaps(), r.checker.Faults())
}
