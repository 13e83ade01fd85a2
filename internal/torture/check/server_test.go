package check_test

import (
	"fmt"

	"pgregory.net/rapid"

	"pubsub/internal/torture/check"
)

// server is a server as it should be, with one channel, and its clients. Whatever is done
// to it, the history is good.
type server struct {
	t       *rapid.T
	history []check.Op
	posts   int
	acked   map[int]check.Place // of posts in this life of the log
	repeats int
	lives   int
	log     []entry // without what has expired
	last    uint64
	now     float64
	readers []*reader
}

type entry struct {
	post int
	check.Message
}

// reader stands after a message, whose timestamp it knows, as a cursor with a check does.
type reader struct {
	begun bool
	place check.Place
	time  float64
}

func newServer(t *rapid.T) *server {
	s := &server{t: t, readers: make([]*reader, rapid.IntRange(1, 3).Draw(t, "readers"))}
	for i := range s.readers {
		s.readers[i] = new(reader)
	}
	s.restart()
	return s
}

func (s *server) feed(op check.Op) { s.history = append(s.history, op) }

func (s *server) epoch() string { return fmt.Sprint("e", s.lives) }

func (s *server) at(id uint64) check.Place { return check.Place{Epoch: s.epoch(), ID: id} }

// restart forgets everything, as a server does that keeps its log in memory.
func (s *server) restart() {
	s.lives++
	s.log, s.last, s.acked = nil, 0, make(map[int]check.Place)
}

func (s *server) append(post int) check.Place {
	s.last++
	s.now++
	s.log = append(s.log, entry{post, check.Message{ID: s.last, Timestamp: s.now, Text: text(post)}})
	return s.at(s.last)
}

func (s *server) post() {
	s.posts++
	s.feed(begun(s.posts))
	switch rapid.SampledFrom([]string{"well", "well", "well", "answer lost", "request lost"}).Draw(s.t, "goes") {
	case "well":
		s.acked[s.posts] = s.append(s.posts)
		s.feed(check.Acknowledged{Post: s.posts, Place: s.acked[s.posts]})
	case "answer lost":
		s.append(s.posts)
		s.feed(check.Failed{Post: s.posts})
	case "request lost":
		s.feed(check.Failed{Post: s.posts})
	}
}

// again repeats the last post, if its key is known.
func (s *server) again() {
	if place, known := s.acked[s.posts]; known {
		s.repeats++
		s.feed(check.Again{Post: s.posts})
		s.feed(check.Acknowledged{Post: s.posts, Place: place})
	}
}

// glance looks for the last post, which may have gone with a restart.
func (s *server) glance() {
	for _, op := range s.history {
		if a, ok := op.(check.Acknowledged); ok && a.Post == s.posts {
			s.feed(check.Glanced{Post: s.posts, Messages: s.after(s.last-min(s.last, 3), 3), Next: s.at(s.last)})
			return
		}
	}
}

func (s *server) expire() {
	if len(s.log) > 0 {
		s.log = s.log[rapid.IntRange(1, len(s.log)).Draw(s.t, "expired"):]
	}
}

// setBack takes messages back that all readers have, and goes on with others. All readers
// are told before anything else happens to the log: who is told only of a later restart
// cannot know of it.
func (s *server) setBack() {
	for _, r := range s.readers {
		if r.place != s.at(s.last) {
			return
		}
	}
	if len(s.log) == 0 {
		return
	}
	to := rapid.IntRange(0, len(s.log)-1).Draw(s.t, "to")
	s.last = s.log[to].ID - 1
	s.log, s.acked = s.log[:to], make(map[int]check.Place)
	s.now++
	for range rapid.IntRange(0, 5).Draw(s.t, "posts since") {
		s.post()
	}
	if to > 0 && s.repeats == 0 && rapid.Bool().Draw(s.t, "renamed") { // some servers begin a new epoch when they notice
		s.lives++
		s.acked = make(map[int]check.Place)
	}
	for number := range s.readers {
		s.poll(number, 4)
	}
}

func (s *server) after(id uint64, limit int) (messages []check.Message) {
	for _, e := range s.log {
		if e.ID > id && len(messages) < limit {
			messages = append(messages, e.Message)
		}
	}
	return messages
}

func (s *server) poll(number, limit int) {
	r := s.readers[number]
	a := check.Answered{Reader: number, Channel: "c"}
	from := r.place.ID
	oldest := s.last + 1
	if len(s.log) > 0 {
		oldest = s.log[0].ID
	}
	switch {
	case !r.begun:
		a.Fresh, from = true, rapid.SampledFrom([]uint64{s.last, oldest - 1}).Draw(s.t, "since")
	case r.place.Epoch != s.epoch() || !s.stands(r):
		a.Gap, from = &check.Gap{Reason: "restarted"}, oldest-1
	case from+1 < oldest:
		a.Gap, from = &check.Gap{Reason: "expired", Missed: oldest - 1 - from}, oldest-1
	}
	a.Messages = s.after(from, limit)
	a.Next = s.at(from + uint64(len(a.Messages)))
	r.begun, r.place, r.time = true, a.Next, s.timeOf(a.Next.ID, r.time)
	s.feed(a)
}

// stands tells whether the reader's last message is in the log, or may have been.
func (s *server) stands(r *reader) bool {
	return r.place.ID <= s.last && s.timeOf(r.place.ID, r.time) == r.time
}

// timeOf is the timestamp of a message, or the given one if it is not there.
func (s *server) timeOf(id uint64, unknown float64) float64 {
	for _, e := range s.log {
		if e.ID == id {
			return e.Timestamp
		}
	}
	return unknown
}

func (s *server) someone() { // polls
	s.poll(rapid.IntRange(0, len(s.readers)-1).Draw(s.t, "reader"), rapid.IntRange(1, 4).Draw(s.t, "limit"))
}

// run does something at random, and lets everybody read everything in the end. Set backs
// are left out where they would explain a fault.
func (s *server) run(setBacks bool) []check.Op {
	steps := []func(){s.post, s.post, s.post, s.post, s.again, s.glance, s.someone, s.someone, s.someone, s.someone, s.expire, s.restart}
	if setBacks {
		steps = append(steps, s.setBack)
	}
	for range rapid.IntRange(1, 60).Draw(s.t, "steps") {
		steps[rapid.IntRange(0, len(steps)-1).Draw(s.t, "step")]()
	}
	for number := range s.readers {
		s.poll(number, len(s.log)+1)
	}
	return s.history
}
