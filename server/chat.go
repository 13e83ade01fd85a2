package server

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"

	lru "github.com/hashicorp/golang-lru/v2"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// chat answers with the conversation as text once its length is not cur_len,
// counted in UTF-16 units as JavaScript does, or with 304 at the timeout.
func (s *Server) chat(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	channel, err := channelOf(query.first("chat_id"))
	if err != nil {
		return err
	}
	length := 0
	if text := query.first("cur_len"); text != "" {
		if length, err = strconv.Atoi(text); err != nil {
			return refuse(http.StatusBadRequest, "cur_len must be the length of the text that you have.")
		}
	}
	timeout, err := s.timeoutOf(query)
	if err != nil {
		return err
	}
	ctx, leave, err := s.limits.admit(r, channel)
	if err != nil {
		return err
	}
	defer leave()
	for {
		page, err := s.hub.Read(&hub.Query{Channel: channel, Since: history.All(), Limit: math.MaxInt})
		if err != nil {
			return err
		}
		text, n := s.transcripts.of(channel, page)
		if n != length {
			return write(w, http.StatusOK, textType, []byte(text))
		}
		if timeout == 0 {
			return s.notModified(w)
		}
		next := &hub.Query{Channel: channel, Since: history.After(page.Cursor), Limit: 1, Timeout: timeout}
		page, err = s.hub.Follow(ctx, next)
		switch {
		case endedInTime(err):
			return s.notModified(w)
		case err != nil:
			return err
		}
		s.handOver(page, next.Waited)
	}
}

func (s *Server) notModified(w http.ResponseWriter) error {
	s.closing(w.Header())
	fresh(w.Header())
	w.WriteHeader(http.StatusNotModified)
	return nil
}

// transcripts are the conversations that were asked for last, so that a message
// is put into text once, and not for each of its readers.
type transcripts struct {
	byChannel *lru.Cache[string, *transcript]
}

// maxTranscripts bounds them: each has maxBytes at most.
const maxTranscripts = 64

func newTranscripts() *transcripts {
	byChannel, err := lru.New[string, *transcript](maxTranscripts)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &transcripts{byChannel}
}

func (t *transcripts) of(channel string, page *history.Page) (text string, length int) {
	known, found := t.byChannel.Get(channel)
	if !found {
		known = new(transcript)
		t.byChannel.Add(channel, known)
	}
	return known.of(page)
}

// transcript is one conversation. Its zero value is empty.
type transcript struct {
	mu       sync.Mutex // guards all below
	cursor   history.Cursor
	messages int
	text     string
	length   int // of text, in UTF-16 units
}

func (t *transcript) of(page *history.Page) (text string, length int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cursor != page.Cursor || t.messages != len(page.Messages) {
		t.cursor, t.messages = page.Cursor, len(page.Messages)
		t.text = transcribe(page.Messages)
		t.length = utf16Len(t.text)
	}
	return t.text, t.length
}

// transcribe writes "nick: message" a line, as far back as one answer may hold.
func transcribe(messages []history.Message) string {
	size, from := 0, len(messages)
	for from > 0 && size+len(messages[from-1].JSON) <= maxBytes {
		from--
		size += len(messages[from].JSON)
	}
	var b strings.Builder
	for _, m := range messages[from:] {
		var said struct{ Nick, Message any }
		_ = json.Unmarshal(m.JSON, &said) // what was posted may have any shape
		if said.Nick == nil {
			said.Nick = "unknown"
		}
		b.WriteString(oneLine(said.Nick) + ": " + oneLine(said.Message) + "\n")
	}
	return b.String()
}

var lineEnds = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")

// oneLine is a value of a message as text.
func oneLine(value any) string {
	text, ok := value.(string)
	if !ok {
		raw, _ := json.Marshal(value) // it was JSON before
		text = string(raw)
	}
	return lineEnds.Replace(text)
}

func utf16Len(text string) (n int) {
	for _, c := range text {
		n += utf16.RuneLen(c)
	}
	return n
}
