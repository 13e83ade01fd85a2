package stream

import (
	"bytes"
	"errors"
	"io"

	"github.com/gobwas/ws"
)

// frames splits the input of a WebSocket into frames, and joins a text that comes in several
// frames. The zero value with max and pace set is ready.
type frames struct {
	max  int                              // bytes of a text at most; 0 is no limit
	pace func(header ws.Header) *farewell // called for each frame, also for a part of a text; it may wait
	rest []byte                           // input that is no whole frame yet
	text []byte                           // the parts of an unfinished text
	more bool                             // a text is unfinished
}

// add adds a copy of b to the input.
func (f *frames) add(b []byte) { f.rest = append(f.rest, b...) }

// incomplete returns how many bytes of an unfinished text are buffered; 0 if none is.
func (f *frames) incomplete() int {
	if f.more {
		return max(len(f.rest)+len(f.text), 1)
	}
	return len(f.rest)
}

// next returns the next frame or the next whole text. ok is false if more input is needed.
// The frame is valid until the next call of add. why is set if the client breaks the
// protocol.
func (f *frames) next() (frame ws.Frame, ok bool, why *farewell) {
	for {
		frame, ok, why = f.nextFrame()
		if !ok || why != nil || frame.Header.OpCode.IsControl() {
			return frame, ok, why
		}
		if frame.Header.OpCode != ws.OpContinuation && frame.Header.Fin {
			return frame, true, nil
		}
		if whole, ok, why := f.join(frame); ok || why != nil {
			return whole, ok, why
		}
	}
}

// nextFrame takes the next frame off the input.
func (f *frames) nextFrame() (frame ws.Frame, ok bool, why *farewell) {
	in := bytes.NewReader(f.rest)
	header, err := ws.ReadHeader(in)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return frame, false, nil
	}
	state := ws.StateServerSide
	if f.more {
		state = state.Set(ws.StateFragmented)
	}
	if err == nil {
		err = ws.CheckHeader(header, state)
	}
	if err != nil {
		return frame, false, &farewell{reason: "protocol", text: err.Error(), code: ws.StatusProtocolError}
	}
	if f.max > 0 && header.Length > int64(f.max-len(f.text)) && !header.OpCode.IsControl() {
		return frame, false, tooBig
	}
	if int64(in.Len()) < header.Length {
		return frame, false, nil
	}
	begin := len(f.rest) - in.Len()
	payload := f.rest[begin : begin+int(header.Length)]
	if f.rest = f.rest[begin+int(header.Length):]; len(f.rest) == 0 {
		f.rest = nil
	}
	ws.Cipher(payload, header.Mask, 0)
	return ws.Frame{Header: header, Payload: payload}, true, f.pace(header)
}

// join adds a frame to its text. With the last frame ok is true, and whole is the text.
func (f *frames) join(frame ws.Frame) (whole ws.Frame, ok bool, why *farewell) {
	if frame.Header.OpCode == ws.OpBinary {
		return frame, true, nil
	}
	f.text = append(f.text, frame.Payload...)
	f.more = !frame.Header.Fin
	if f.more {
		return whole, false, nil
	}
	whole = ws.NewTextFrame(f.text)
	f.text = nil
	return whole, true, nil
}

// Farewells to a client that is gone or breaks a rule.
var (
	gone    = &farewell{code: ws.StatusNormalClosure}
	tooBig  = &farewell{reason: "too-large", text: "Send less in a message.", code: ws.StatusMessageTooBig}
	tooMuch = &farewell{reason: "too-much", text: "Your address sends as many long messages at a time as it may.", code: statusTryAgainLater}
	tooSlow = &farewell{reason: "slow", text: "A message did not come to its end in time.", code: ws.StatusPolicyViolation}
	notText = &farewell{reason: "not-utf-8", text: "Send JSON in UTF-8.", code: ws.StatusInvalidFramePayloadData}
	silent  = &farewell{reason: "silent", text: "Pings were not answered.", code: ws.StatusPolicyViolation}
)

// farewellTo answers a close frame, with the code that the client has sent.
func farewellTo(body []byte) *farewell {
	code, reason := ws.ParseCloseFrameData(body)
	switch {
	case len(body) == 0:
		code = ws.StatusNormalClosure
	case ws.CheckCloseFrameData(code, reason) != nil:
		code = ws.StatusProtocolError
	}
	return &farewell{code: code}
}
