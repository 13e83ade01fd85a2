package conns

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	h2 "golang.org/x/net/http2"
)

// The frames are those that net/http's own library finds, in whatever pieces they come.
func FuzzFrames(f *testing.F) {
	var good bytes.Buffer
	framer := h2.NewFramer(&good, nil)
	require.NoError(f, framer.WriteSettings())
	require.NoError(f, framer.WriteData(1, false, []byte("hi")))
	require.NoError(f, framer.WriteData(1, true, nil))
	require.NoError(f, framer.WriteRSTStream(3, h2.ErrCodeCancel))
	f.Add(good.Bytes(), 1)
	f.Add(good.Bytes(), 10)
	f.Add([]byte{0, 0, 1, 9, 0, 0x80, 0, 0, 1, 'x', 0}, 3)
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		piece = max(1, piece%100)
		var found []frame
		var in frameReader
		for rest := sent; len(rest) > 0; {
			n := min(piece, len(rest))
			in.each(rest[:n], func(one frame) { found = append(found, one) })
			rest = rest[n:]
		}
		var want []frame
		for rest := bytes.NewReader(sent); ; {
			h, err := h2.ReadFrameHeader(rest)
			if err != nil {
				break
			}
			want = append(want, frame{length: int(h.Length), kind: byte(h.Type), flags: byte(h.Flags), stream: h.StreamID})
			if _, err := rest.Seek(int64(h.Length), 1); err != nil {
				break
			}
		}
		require.Equal(t, want, found)
	})
}
