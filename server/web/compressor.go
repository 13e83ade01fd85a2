package web

import (
	"bytes"
	"compress/gzip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Compressor compresses answers, each content once for all who get it at about the same
// time: a message wakes a thousand polls, and their answers are equal. Make it with
// [NewCompressor]. Its methods are safe for concurrent use.
//
// An attacker who sees how long the answers to somebody else are, and has text of his own
// put into them, can guess by the lengths what else is in them (BREACH). That is fine where
// whoever may post to a channel may read it, as no answer has a password, a token or a
// cookie. Where tokens give the one right without the other nothing is compressed: a nil
// Compressor answers plain.
type Compressor struct {
	made atomic.Int64

	mu      sync.RWMutex // guards all below
	recent  []*content   // oldest first, at most maxRecent
	resting []*gzip.Writer
	working int // writers, at most maxWriters
}

// What a compressor holds: 2 MB of contents and 3 MB of writers at most, and nothing when
// it had nothing to do for keepRecent.
const (
	maxRecent  = 16
	keepRecent = 2 * time.Second
	maxWriters = 4 // each has 0.8 MB
)

// content is what one or more answers say.
type content struct {
	plain      []byte
	done       chan struct{} // closed once compressed is set
	compressed []byte        // nil: the answers are plain
}

// NewCompressor returns a compressor. It needs no closing.
func NewCompressor() *Compressor { return new(Compressor) }

// Made returns how often something was compressed.
func (c *Compressor) Made() float64 {
	if c == nil {
		return 0
	}
	return float64(c.made.Load())
}

// compress returns plain in gzip. It is nil if c is, if that is not smaller, or if as many
// others are being compressed as may be. plain must not be changed afterwards.
func (c *Compressor) compress(plain []byte) []byte {
	if c == nil {
		return nil
	}
	k, found := c.find(plain)
	if !found {
		if k, found = c.add(plain); !found {
			c.fill(k)
		}
	}
	<-k.done
	return k.compressed
}

func (c *Compressor) find(plain []byte) (*content, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.search(plain)
}

// search is find; mu is held.
func (c *Compressor) search(plain []byte) (*content, bool) {
	for _, k := range c.recent {
		if bytes.Equal(k.plain, plain) {
			return k, true
		}
	}
	return nil, false
}

// add adds a content, which the caller has to fill, unless somebody else has added it.
func (c *Compressor) add(plain []byte) (k *content, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, found := c.search(plain); found {
		return k, true
	}
	switch len(c.recent) {
	case 0:
		time.AfterFunc(keepRecent, c.forget)
	case maxRecent:
		c.recent = slices.Delete(c.recent, 0, 1)
	}
	k = &content{plain: plain, done: make(chan struct{})}
	c.recent = append(c.recent, k)
	return k, false
}

// forget frees everything. Who still waits for a content gets it.
func (c *Compressor) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent, c.resting = nil, nil
}

// fill sets what a content is in gzip.
func (c *Compressor) fill(k *content) {
	defer close(k.done)
	if w := c.take(); w != nil {
		defer c.giveBack(w)
		c.made.Add(1)
		k.compressed = compress(w, k.plain)
	}
}

// take returns a writer, nil if enough are at work. They take half of the machine at most,
// as a stranger can ask for one different answer after the other.
func (c *Compressor) take() *gzip.Writer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.working == min(maxWriters, max(1, runtime.GOMAXPROCS(0)/2)) {
		return nil
	}
	c.working++
	last := len(c.resting) - 1
	if last < 0 {
		return newGzip(gzip.BestSpeed)
	}
	w := c.resting[last]
	c.resting = c.resting[:last]
	return w
}

func (c *Compressor) giveBack(w *gzip.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.working--
	if len(c.recent) > 0 { // otherwise nobody would free it
		c.resting = append(c.resting, w)
	}
}

func newGzip(level int) *gzip.Writer {
	w, _ := gzip.NewWriterLevel(nil, level) // fails only for a level that does not exist
	return w
}

// compress returns plain in gzip, nil if that is not smaller.
func compress(w *gzip.Writer, plain []byte) []byte {
	var out bytes.Buffer
	w.Reset(&out)
	_, _ = w.Write(plain) // a Buffer takes all
	_ = w.Close()
	if out.Len() >= len(plain) {
		return nil
	}
	return bytes.Clone(out.Bytes()) // without room to grow
}
