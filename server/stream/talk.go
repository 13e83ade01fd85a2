package stream

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"pubsub/server/access"
	"pubsub/server/conns"
	"pubsub/server/history"
	"pubsub/server/post"
	"pubsub/server/web"
)

// talk is what the client of a WebSocket says: it publishes, and it answers pings. One
// goroutine at a time reads it; a stream that is silent has none.
type talk struct {
	streams  *Streams
	request  *http.Request // tells who it is
	channels []string
	stream   *member
	began    time.Time
	frames   frames
	pong     time.Time // when it last answered a ping for nothing

	heard  atomic.Int64 // when the client last said something, in ns since it began to talk
	inputs atomic.Int32 // that were told of since the reader began

	late     atomic.Pointer[time.Timer] // ends who does not finish a text; nil if none is under way
	held     int                        // bytes that are counted of a long text under way
	giveBack atomic.Pointer[func()]     // ends that; nil if nothing is counted

	unsentMu sync.Mutex // guards the next one
	unsent   []byte     // answers, while the stream is out of its crowd
}

func newTalk(s *Streams, a *asked, m *member) *talk {
	t := &talk{streams: s, request: a.sender, channels: a.channels, stream: m, began: time.Now()}
	t.frames = frames{max: s.posts.MaxBody(), pace: t.pace}
	return t
}

// pace is called for each frame. It may wait, and no frame is read meanwhile.
func (t *talk) pace(header ws.Header) *farewell {
	switch {
	case t.stream.ended():
		return gone
	case header.OpCode == ws.OpPong && t.isAnswer(time.Now()):
		return nil
	}
	if err := t.streams.access.PaceFrame(t.request, int(header.Length)); err != nil {
		return notAllowed(t.streams.responder.Refused(t.request, err))
	}
	return nil
}

// isAnswer tells whether a pong may be the answer to a ping, which all clients of an address
// are sent at the same time: that costs them nothing.
func (t *talk) isAnswer(now time.Time) bool {
	if now.Sub(t.pong) < t.streams.tick/2 {
		return false
	}
	t.pong = now
	return true
}

// senderOf is a request that has only what tells who has sent it. The one of the handshake
// would keep some kilobytes for as long as the stream lasts.
func senderOf(r *http.Request) *http.Request {
	sender := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: r.URL.Path}, RemoteAddr: r.RemoteAddr, Header: make(http.Header)}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Request-Id"} {
		if values := r.Header[name]; values != nil {
			sender.Header[name] = values
		}
	}
	return sender
}

// buffers to read into are shared, since most streams say nothing most of the time.
var buffers = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// listen takes in what the client says from now on, and what it has said already.
func (t *talk) listen(conn *conns.Taken, sent []byte) {
	if !t.hear(sent) {
		return
	}
	if err := conn.OnInput(func() { t.input(conn) }); err != nil {
		t.stream.close()
	}
}

// input is called when there is something to read. It does not wait.
func (t *talk) input(conn *conns.Taken) {
	if t.inputs.Add(1) == 1 {
		go t.readAll(conn)
	}
}

// readAll reads until there is nothing to read.
func (t *talk) readAll(conn *conns.Taken) {
	buffer := buffers.Get().(*[4 << 10]byte)
	defer buffers.Put(buffer)
	for {
		seen := t.inputs.Load()
		n, err := conn.TryRead(buffer[:])
		switch {
		case err != nil:
			t.stream.close()
			return
		case n > 0:
			if !t.hear(buffer[:n]) {
				return
			}
		case t.inputs.CompareAndSwap(seen, 0):
			return
		}
	}
}

// readFrom reads a connection with a goroutine of its own, until it ends.
func (t *talk) readFrom(conn io.Reader) {
	var buffer [4 << 10]byte
	for {
		n, err := conn.Read(buffer[:])
		if !t.hear(buffer[:n]) {
			return
		}
		if err != nil {
			t.stream.close()
			return
		}
	}
}

// hear takes in some bytes. It returns false if the stream has ended. What a client sends
// must not end the process, so a panic ends only the stream.
func (t *talk) hear(b []byte) (goesOn bool) {
	defer func() {
		if cause := recover(); cause != nil {
			t.streams.responder.Panicked(t.request, cause)
			t.stream.close()
		}
	}()
	t.heard.Store(int64(time.Since(t.began)))
	t.frames.add(b)
	for {
		f, ok, why := t.frames.next()
		if why == nil && ok {
			if f.Header.OpCode == ws.OpText || !t.frames.more {
				t.stopLate() // what comes next has all its time
			}
			why = t.frame(f)
		}
		if why != nil {
			t.stream.dismiss(why)
			return false
		}
		if ok {
			continue
		}
		if why = t.expect(t.frames.incomplete()); why != nil {
			t.stream.dismiss(why)
		}
		return why == nil
	}
}

// expect is called with how many bytes have come of a text whose rest has not. They are
// counted if they are many, and the rest must come in time, as for the body of a post:
// somebody has to hold them. It returns why the stream ends, nil if it does not.
func (t *talk) expect(bytes int) *farewell {
	switch {
	case bytes == 0:
		t.stopLate()
		t.release()
		t.held = 0
		return nil
	case t.late.Load() == nil:
		t.late.Store(time.AfterFunc(post.BodyTimeout, func() { t.stream.dismiss(tooSlow) }))
	}
	defer t.endIfOver()
	if bytes <= max(t.held, access.SmallAnswer) {
		return nil
	}
	t.release()
	t.held = 2 * bytes // not to count anew at each piece
	giveBack, ok := t.streams.access.HoldFor(t.streams.access.Source.Of(t.request), t.held)
	if !ok {
		return tooMuch
	}
	t.giveBack.Store(&giveBack)
	return nil
}

// stopLate also lets go of the text, which the timer would keep.
func (t *talk) stopLate() {
	if late := t.late.Swap(nil); late != nil {
		late.Stop()
	}
}

// end gives back all that is held for the client. It may be called again.
func (t *talk) end() {
	t.stopLate()
	t.release()
}

// endIfOver is for what was held while the stream ended.
func (t *talk) endIfOver() {
	if t.stream.ended() {
		t.end()
	}
}

// release gives back what is counted.
func (t *talk) release() {
	if giveBack := t.giveBack.Swap(nil); giveBack != nil {
		(*giveBack)()
	}
}

// maxSilence is how many ticks a client may be silent. It is pinged at each.
const maxSilence = 3

func (t *talk) isSilent(now time.Time) bool {
	return now.Sub(t.began)-time.Duration(t.heard.Load()) > maxSilence*t.streams.tick
}

// frame does what a frame says. It returns why the stream ends, nil if it does not.
func (t *talk) frame(f ws.Frame) *farewell {
	switch f.Header.OpCode {
	case ws.OpPing:
		t.stream.send(ws.MustCompileFrame(ws.NewPongFrame(f.Payload)))
	case ws.OpClose:
		return farewellTo(f.Payload)
	case ws.OpText:
		if !utf8.Valid(f.Payload) { // RFC 6455, section 8.1
			return notText
		}
		t.stream.send(textFrame(t.answer(f.Payload)))
	case ws.OpBinary:
		return &farewell{reason: "binary", text: "Send JSON in text frames.", code: ws.StatusUnsupportedData}
	}
	return nil
}

// said is what a client may say.
type said struct {
	Publish json.RawMessage `json:"publish"`
	Channel string          `json:"channel"`
	Key     string          `json:"key"`
}

// answer does what a text says, and returns the answer.
func (t *talk) answer(text []byte) []byte {
	var s said
	if json.Unmarshal(text, &s) != nil || len(s.Publish) == 0 {
		return t.refuse(s.Key, web.Refuse(http.StatusBadRequest, `Send {"publish": {"message": "hi"}, "channel": "room", "key": "any text of your own"}. The last two may be left out.`))
	}
	channel, err := t.channelOf(s.Channel)
	if err != nil {
		return t.refuse(s.Key, err)
	}
	receipt, err := t.streams.posts.PublishObject(t.request, channel, s.Key, s.Publish)
	if err != nil {
		return t.refuse(s.Key, err)
	}
	return encode(map[string]any{"published": map[string]any{
		"id": receipt.Cursor.ID, "cursor": receipt.Cursor.String(), "channel": channel,
	}}, s.Key)
}

// channelOf is where a client publishes: if it names no channel, on that of its stream.
func (t *talk) channelOf(name string) (string, error) {
	switch {
	case name != "":
		return history.ParseChannel(name)
	case len(t.channels) == 1:
		return t.channels[0], nil
	}
	return "", web.Refuse(http.StatusBadRequest, "This stream has several channels. Name the one to publish on.")
}

func (t *talk) refuse(key string, err error) []byte {
	problem := t.streams.responder.Refused(t.request, err)
	object := map[string]any{"error": problem.Text, "status": problem.Status}
	if wait := problem.Wait(); wait > 0 {
		object["retry_after"] = wait
	}
	return encode(object, key)
}

// encode adds the key to an answer, if there is one.
func encode(object map[string]any, key string) []byte {
	if key != "" && len(key) <= post.MaxKey {
		object["key"] = key
	}
	text, _ := json.Marshal(object) // cannot fail
	return text
}

// maxUnsent is how many bytes of answers wait for a client that reads slowly.
const maxUnsent = 64 << 10

// keep keeps an answer until catchUp can send it. It returns false if the stream has
// joined its crowd meanwhile.
func (t *talk) keep(m *member, b []byte) bool {
	t.unsentMu.Lock()
	defer t.unsentMu.Unlock()
	switch {
	case m.over.Load():
		return true
	case m.Seated():
		return false
	case len(t.unsent)+len(b) > maxUnsent:
		go m.close() // it asks on and on, and reads nothing
		return true
	}
	t.unsent = append(t.unsent, b...)
	return true
}
