package stream

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whatever a client sends, in whatever pieces, the same is understood, and no more than the
// limit is kept.
func FuzzFrames(f *testing.F) {
	frame := func(op ws.OpCode, fin bool, text string) []byte {
		return ws.MustCompileFrame(ws.MaskFrameWith(ws.NewFrame(op, fin, []byte(text)), [4]byte{1, 2, 3, 4}))
	}
	f.Add(frame(ws.OpText, true, "hi"), 1)
	f.Add(append(frame(ws.OpText, false, "h"), frame(ws.OpContinuation, true, "i")...), 3)
	f.Add(append(frame(ws.OpText, false, "h"), frame(ws.OpPing, true, "i")...), 5)
	f.Add(frame(ws.OpBinary, true, "hi"), 2)
	f.Add(frame(ws.OpClose, true, "\x03\xe8"), 2)
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 7)
	f.Add([]byte{0x81, 0xfe, 0x10, 0, 0, 0, 0, 0}, 4)
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		const max = 1000
		whole, why := understand(frames{max: max, pace: atOnce}, sent, len(sent)+1)
		pieces, why2 := understand(frames{max: max, pace: atOnce}, sent, 1+abs(piece)%50)
		require.Equal(t, whole, pieces)
		require.Equal(t, why, why2)
	})
}

func atOnce(ws.Header) *farewell { return nil }

func abs(n int) int {
	if n < 0 {
		return ^n
	}
	return n
}

// understand feeds what was sent in pieces, and returns what was understood.
func understand(f frames, sent []byte, piece int) (all []string, why *farewell) {
	for len(sent) > 0 {
		n := min(piece, len(sent))
		f.add(sent[:n])
		sent = sent[n:]
		for {
			frame, ok, why := f.next()
			if why != nil {
				return all, why
			}
			if !ok {
				break
			}
			all = append(all, string(frame.Header.OpCode)+string(bytes.Clone(frame.Payload)))
		}
		if len(f.text) > f.max {
			panic("too much is kept")
		}
	}
	return all, nil
}
