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

// inbound handles what the client of a WebSocket sends: posts, and answers to pings. One
// goroutine at a time reads the input, and none while the client is silent.
type inbound struct {
	streams  *Streams
	request  *http.Request // tells who the client is, see senderOf
	channels []string
	stream   *member
	began    time.Time
	frames   frames
	pong     time.Time // when a pong last counted as an answer, for free

	heard  atomic.Int64 // when the client last sent something, in ns since began
	inputs atomic.Int32 // calls of input since the reader started; 0 if none runs

	late     atomic.Pointer[time.Timer] // ends the stream if a text is not finished in time; nil if no text is unfinished
	held     int                        // bytes that are counted for a long unfinished text
	giveBack atomic.Pointer[func()]     // stops counting held; nil if nothing is counted

	unsentMu sync.Mutex // guards unsent; held over Crowd.Join, and over the end of a stream that cannot join
	unsent   []byte     // answers that wait while the stream is out of its crowd
}

func newInbound(s *Streams, a *request, m *member) *inbound {
	t := &inbound{streams: s, request: a.sender, channels: a.channels, stream: m, began: time.Now()}
	t.frames = frames{max: s.posts.MaxBody(), pace: t.pace}
	return t
}

// pace is called for each frame. It may wait, and no frame is read meanwhile.
func (t *inbound) pace(header ws.Header) *farewell {
	switch {
	case t.stream.ended():
		return gone
	case header.OpCode == ws.OpPong && t.isAnswer(time.Now()):
		return nil
	}
	if err := t.streams.access.PaceFrame(t.request, int(header.Length)); err != nil {
		return notAllowed(t.streams.responder.ProblemFor(t.request, err))
	}
	return nil
}

// isAnswer tells whether a pong may be the answer to a ping. Such pongs are free, because all
// clients of an address are pinged at the same time.
func (t *inbound) isAnswer(now time.Time) bool {
	if now.Sub(t.pong) < t.streams.tick/2 {
		return false
	}
	t.pong = now
	return true
}

// senderOf returns a request with just what tells who has sent r. The whole r would keep some
// kilobytes for as long as the stream lasts.
func senderOf(r *http.Request) *http.Request {
	sender := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: r.URL.Path}, RemoteAddr: r.RemoteAddr, Header: make(http.Header)}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Request-Id"} {
		if values := r.Header[name]; values != nil {
			sender.Header[name] = values
		}
	}
	return sender
}

// buffers holds read buffers. They are shared, because most streams are silent most of the
// time.
var buffers = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// listen handles sent, which the client has sent already, and then all that it sends.
func (t *inbound) listen(conn *conns.Hijacked, sent []byte) {
	if !t.hear(sent) {
		return
	}
	if err := conn.OnInput(func() { t.input(conn) }); err != nil {
		t.stream.close()
	}
}

// input is called when there is something to read. It does not wait.
func (t *inbound) input(conn *conns.Hijacked) {
	if t.inputs.Add(1) == 1 {
		go t.readAll(conn)
	}
}

// readAll reads until there is nothing to read.
func (t *inbound) readAll(conn *conns.Hijacked) {
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

// readFrom reads a connection until it ends, in a goroutine of its own.
func (t *inbound) readFrom(conn io.Reader) {
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

// hear handles input. It returns false if the stream has ended. A panic ends the stream only,
// because a client must not be able to end the process.
func (t *inbound) hear(b []byte) (goesOn bool) {
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
				t.stopLate() // the next text gets the full time
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

// expect is called with the size of an unfinished text that is buffered. Many bytes are
// counted for the address, and the rest must come in time, as for the body of a post. expect
// returns why the stream ends, nil if it does not.
func (t *inbound) expect(bytes int) *farewell {
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
	t.held = 2 * bytes // so that not every piece needs a new count
	giveBack, ok := t.streams.access.HoldFor(t.streams.access.Source.Of(t.request), t.held)
	if !ok {
		return tooMuch
	}
	t.giveBack.Store(&giveBack)
	return nil
}

// stopLate stops the timer, and drops it because the timer keeps the text in memory.
func (t *inbound) stopLate() {
	if late := t.late.Swap(nil); late != nil {
		late.Stop()
	}
}

// end stops the timer, and gives back what is counted. It may be called again.
func (t *inbound) end() {
	t.stopLate()
	t.release()
}

// endIfOver undoes what was begun while the stream ended.
func (t *inbound) endIfOver() {
	if t.stream.ended() {
		t.end()
	}
}

// release stops counting the unfinished text.
func (t *inbound) release() {
	if giveBack := t.giveBack.Swap(nil); giveBack != nil {
		(*giveBack)()
	}
}

// maxSilence is how many ticks a client may be silent. Each tick sends it a ping.
const maxSilence = 3

func (t *inbound) isSilent(now time.Time) bool {
	return now.Sub(t.began)-time.Duration(t.heard.Load()) > maxSilence*t.streams.tick
}

// frame handles a frame. It returns why the stream ends, nil if it does not.
func (t *inbound) frame(f ws.Frame) *farewell {
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

// said is a text that a client may send.
type said struct {
	Publish json.RawMessage `json:"publish"`
	Channel string          `json:"channel"`
	Key     string          `json:"key"`
}

// answer handles a text, and returns the answer to it.
func (t *inbound) answer(text []byte) []byte {
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

// channelOf returns the channel on which to publish: the named one, or the only one of the
// stream.
func (t *inbound) channelOf(name string) (string, error) {
	switch {
	case name != "":
		return history.ParseChannel(name)
	case len(t.channels) == 1:
		return t.channels[0], nil
	}
	return "", web.Refuse(http.StatusBadRequest, "This stream has several channels. Name the one to publish on.")
}

func (t *inbound) refuse(key string, err error) []byte {
	problem := t.streams.responder.ProblemFor(t.request, err)
	object := map[string]any{"error": problem.Text, "status": problem.Status}
	if wait := problem.Wait(); wait > 0 {
		object["retry_after"] = wait
	}
	return encode(object, key)
}

// encode encodes an answer. It adds the key if there is one.
func encode(object map[string]any, key string) []byte {
	if key != "" && len(key) <= post.MaxKey {
		object["key"] = key
	}
	text, _ := json.Marshal(object) // cannot fail
	return text
}

// maxUnsent is how many bytes of answers may wait for a client that reads slowly.
const maxUnsent = 64 << 10

// keep keeps an answer for catchUp to send. It returns false if the stream has joined its
// crowd meanwhile.
func (t *inbound) keep(m *member, b []byte) bool {
	t.unsentMu.Lock()
	defer t.unsentMu.Unlock()
	switch {
	case m.over.Load():
		return true
	case m.Seated():
		return false
	case len(t.unsent)+len(b) > maxUnsent:
		go m.close() // the client asks on and on, and reads nothing
		return true
	}
	t.unsent = append(t.unsent, b...)
	return true
}
