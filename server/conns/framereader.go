package conns

import "encoding/binary"

// preface is what an HTTP/2 client sends first.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Types of frames: RFC 9113, section 6.
const (
	data    = 0
	headers = 1
	resets  = 3
	pings   = 6
	windows = 8
)

const endStream = 1 // a flag of data and headers

// frame is the header of an HTTP/2 frame.
type frame struct {
	length int
	kind   byte
	flags  byte
	stream uint32
}

// smallPiece is the size below which a data frame counts as empty, unless it ends the stream.
const smallPiece = 64

// isCostly tells whether a frame costs the server more than the client. The cost of a headers
// frame is given back when its request is admitted, see [RefundFrame].
func (f frame) isCostly() bool {
	return f.kind != data || f.length < smallPiece && !f.ends()
}

// answers tells whether a client may send such a frame in reply to data.
func (f frame) answers() bool { return f.kind == windows || f.kind == pings }

// bytesForAnswer is how many bytes a client must have read for each free frame that answers
// data. Go's client opens the window of the stream and that of the connection every 4 KiB.
// The count goes by bytes and not by data frames, because a client can make the server send
// one byte a frame.
const bytesForAnswer = 2 << 10

// ends tells whether the frame is the last one of its stream in its direction.
func (f frame) ends() bool { return (f.kind == data || f.kind == headers) && f.flags&endStream != 0 }

// frameReader finds the frames in one direction of a connection.
type frameReader struct {
	skip   int // bytes before the next frame
	header [9]byte
	have   int // how many bytes of header are read
}

// each takes the next bytes, b, and calls do for each frame whose header ends in b.
func (r *frameReader) each(b []byte, do func(frame)) {
	for len(b) > 0 {
		if r.skip > 0 {
			n := min(r.skip, len(b))
			b, r.skip = b[n:], r.skip-n
			continue
		}
		n := copy(r.header[r.have:], b)
		b = b[n:]
		if r.have += n; r.have < len(r.header) {
			return
		}
		f := frame{
			length: int(r.header[0])<<16 | int(r.header[1])<<8 | int(r.header[2]),
			kind:   r.header[3], flags: r.header[4], stream: binary.BigEndian.Uint32(r.header[5:]) & (1<<31 - 1),
		}
		r.have, r.skip = 0, f.length
		do(f)
	}
}
