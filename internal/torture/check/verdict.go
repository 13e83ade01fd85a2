package check

import (
	"fmt"
	"maps"
	"slices"
)

// Kind is a kind of fault, and the sentence that a person reads.
type Kind string

// The kinds of faults.
const (
	Lost        Kind = "LOST: acknowledged, never read by a reader that has read later ones, and not told"
	Unread      Kind = "NOT READ IN THE END: acknowledged, and not to be had when everything was over"
	Doubled     Kind = "DOUBLED: one message given to a reader twice"
	TwoContents Kind = "TWO CONTENTS: one id for two messages"
	Skipped     Kind = "SKIPPED: ids with a hole inside an answer"
	OutOfOrder  Kind = "OUT OF ORDER: a message given after a later one"
	UntoldGap   Kind = "UNTOLD GAP: a reader went on after messages that it never had, and was not told"
	WrongMissed Kind = "WRONG MISSED: an expired gap with another number than the ids say"
	Timestamps  Kind = "TIMESTAMPS: not rising within a channel"
	Stale       Kind = "STALE: acknowledged, and not in a short poll after that"
	Repeated    Kind = "REPEATED: posted again with the same key, and published twice"
	Invented    Kind = "INVENTED: read, and never posted there"
	GapTold     Kind = "GAP: told, and none was to be"
)

// Kinds are all kinds, the worst first.
var Kinds = []Kind{Lost, UntoldGap, Unread, TwoContents, Invented, Doubled, Repeated, OutOfOrder, Skipped, Stale, WrongMissed, Timestamps, GapTold}

// Counts are the numbers of a history. None of them is a fault.
type Counts struct {
	Posted, Acknowledged, Failed int // posts
	Answers, Read                int // answers to readers, and the messages in them
	Glanced                      int // short polls after an acknowledgement

	Expired, Restarted, Ahead int // gaps that readers were told
	Missed                    int // messages that readers were told to have missed
	Repeats                   int // messages read twice because they were posted twice
	Foreign                   int // messages of others in shared channels
}

// Gaps is how many gaps were told.
func (c Counts) Gaps() int { return c.Expired + c.Restarted + c.Ahead }

// Fault is one kind of fault: how often it was found, and the first examples.
type Fault struct {
	Count    int
	Examples []string
}

const examples = 3 // of each kind

type faults map[Kind]*Fault

func (f faults) add(kind Kind, format string, args ...any) {
	fault := f[kind]
	if fault == nil {
		fault = new(Fault)
		f[kind] = fault
	}
	if fault.Count++; len(fault.Examples) < examples {
		fault.Examples = append(fault.Examples, fmt.Sprintf(format, args...))
	}
}

func (f faults) merge(other faults) {
	for kind, fault := range other {
		if f[kind] == nil {
			f[kind] = new(Fault)
		}
		f[kind].Count += fault.Count
		all := append(slices.Clip(f[kind].Examples), fault.Examples...)
		f[kind].Examples = all[:min(len(all), examples)]
	}
}

// Verdict is what a history shows.
type Verdict struct {
	Counts
	Faults      faults
	FailedRead  int // posts that were given up, and published all the same: allowed
	ToldGone    int // acknowledged posts that nobody read, all of whose readers were told
	SetBack     int // logs that went back to an earlier state, as readers were told
	NotPromised int // messages that readers of a server without cursors were not given
}

// Clean tells that there is no fault.
func (v *Verdict) Clean() bool { return len(v.Faults) == 0 }

// Verdict judges the history that was fed until now as a whole one: it takes time once
// for all posts and holes. More can be fed after it.
func (c *Checker) Verdict() *Verdict {
	v := &Verdict{Counts: c.counts, Faults: make(faults)}
	v.Faults.merge(c.faults)
	readers := c.current()
	for _, s := range append(slices.Clip(c.ended), readers...) {
		s.end(v)
	}
	for _, s := range readers {
		if c.options.ByText {
			c.endByText(s, v)
		} else {
			s.rest(v)
			s.elsewhere(c.channels[s.channel], v)
		}
	}
	for _, ch := range c.channels {
		ch.end(v)
	}
	return v
}

// current are the readers' last stretches, in the order of the readers.
func (c *Checker) current() (all []*stretch) {
	for _, reader := range slices.Sorted(maps.Keys(c.readers)) {
		all = append(all, c.readers[reader])
	}
	return all
}

// Behind is how many readers have something still to read that was acknowledged.
func (c *Checker) Behind() (n int) {
	for _, s := range c.readers {
		latest := c.channels[s.channel].latest
		switch {
		case c.options.ByText && c.awaits(s), !c.options.ByText && len(s.unread()) > 0,
			latest != nil && latest.number > s.log.number: // it is still to be told
			n++
		}
	}
	return n
}

// maxHole is how many ids of a hole are looked at: a server may go up by 10^18.
const maxHole = 1 << 20

// end judges the holes of a stretch.
func (s *stretch) end(v *Verdict) {
	for _, h := range s.holes {
		kind := Skipped
		if h.between {
			kind = UntoldGap
		}
		v.Faults.add(kind, "reader %d in %s never had the ids %d to %d", s.reader, s.channel, h.from, h.to)
		for id := h.from; id <= h.to && id-h.from < maxHole; id++ {
			if s.owes(id) {
				v.Faults.add(Lost, "reader %d in %s never had id %d (post %d)", s.reader, s.channel, id, s.log.at[id].number)
			}
		}
	}
}

// rest finds what a reader should have read in the end.
func (s *stretch) rest(v *Verdict) {
	for _, id := range s.unread() {
		v.Faults.add(Unread, "reader %d in %s has all up to id %d, and not id %d (post %d)", s.reader, s.channel, s.high, id, s.log.at[id].number)
	}
}

// elsewhere finds what was acknowledged in a life of the log that began after the reader's
// and that the reader was never told of. Instances that share no log look like that.
func (s *stretch) elsewhere(ch *channel, v *Verdict) {
	for _, p := range ch.posts {
		if p.acked > 0 && p.lastLog().number > s.log.number {
			v.Faults.add(Unread, "reader %d in %s was not told of the log in which post %d was acknowledged: do the URLs share one?", s.reader, s.channel, p.number)
		}
	}
}

// end judges what was in doubt until all readers were heard, and counts the posts.
func (ch *channel) end(v *Verdict) {
	for _, log := range ch.logs {
		if log.setBack {
			v.SetBack++
		} else {
			v.Faults.merge(log.doubts)
		}
	}
	for _, p := range ch.posts {
		if p.failed && p.read {
			v.FailedRead++
		}
		if p.acked > 0 && !p.read {
			v.ToldGone++
		}
	}
}
