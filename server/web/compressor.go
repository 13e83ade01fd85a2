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

// Compressor compresses answers, and each content once for all requests at about the same
// time: a message wakes a thousand polls, whose answers are equal. Make it with
// [NewCompressor]. Its methods are safe for concurrent use.
//
// Compression has a risk (BREACH): an attacker who can add text to somebody's answer and see
// its length can guess the rest. Answers have no password, token or cookie, so that is fine
// where all who may post to a channel may also read it. Where tokens give one right without
// the other, use a nil Compressor, which compresses nothing.
type Compressor struct {
	made atomic.Int64

	mu      sync.RWMutex // guards the fields below; no other lock is taken under it
	recent  []*content   // oldest first; maxRecent at most
	resting []*gzip.Writer
	working int // writers in use; maxWriters at most
}

// Bounds of a compressor: 2 MB of contents, 3 MB of writers. After keepRecent without work it
// holds nothing.
const (
	maxRecent  = 16
	keepRecent = 2 * time.Second
	maxWriters = 4 // each has 0.8 MB
)

// content is the body of one or more answers.
type content struct {
	plain      []byte
	done       chan struct{} // closed once compressed is set
	compressed []byte        // nil: not compressed
}

// NewCompressor returns a compressor. It need not be closed.
func NewCompressor() *Compressor { return new(Compressor) }

// Made returns how many contents were compressed.
func (c *Compressor) Made() float64 {
	if c == nil {
		return 0
	}
	return float64(c.made.Load())
}

// compress returns plain in gzip. It returns nil if c is nil, if the result is not smaller,
// or if too many others are being compressed. plain must not be changed afterwards. It may
// wait for another request that compresses the same content.
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

// search is find with mu held.
func (c *Compressor) search(plain []byte) (*content, bool) {
	for _, k := range c.recent {
		if bytes.Equal(k.plain, plain) {
			return k, true
		}
	}
	return nil, false
}

// add adds a content, which the caller must fill. If found is true, another request has added
// it before.
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

// forget frees everything. A request that waits for a content still gets it.
func (c *Compressor) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent, c.resting = nil, nil
}

// fill compresses a content.
func (c *Compressor) fill(k *content) {
	defer close(k.done)
	if w := c.take(); w != nil {
		defer c.giveBack(w)
		c.made.Add(1)
		k.compressed = compress(w, k.plain)
	}
}

// take returns a writer, nil if too many are in use. Half of the CPUs at most compress,
// because any client can ask for one different answer after the other.
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
	if len(c.recent) > 0 { // otherwise forget may never free it
		c.resting = append(c.resting, w)
	}
}

func newGzip(level int) *gzip.Writer {
	w, _ := gzip.NewWriterLevel(nil, level) // fails only for an invalid level
	return w
}

// compress returns plain in gzip, nil if that is not smaller.
func compress(w *gzip.Writer, plain []byte) []byte {
	var out bytes.Buffer
	w.Reset(&out)
	_, _ = w.Write(plain) // a Buffer never fails
	_ = w.Close()
	if out.Len() >= len(plain) {
		return nil
	}
	return bytes.Clone(out.Bytes()) // a copy without spare capacity
}
