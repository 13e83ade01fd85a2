package conns

import "encoding/binary"

// preface is what a client of HTTP/2 sends first.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Kinds of frames: RFC 9113, section 6.
const (
	data    = 0
	headers = 1
	resets  = 3
	pings   = 6
	windows = 8
)

const endStream = 1 // a flag of data and headers

// frame is the header of a frame.
type frame struct {
	length int
	kind   byte
	flags  byte
	stream uint32
}

// smallPiece is how many bytes of a body are as good as nothing, if more is to come.
const smallPiece = 64

// isCostly tells whether a frame costs the server more than the client. Headers do not once
// their request is taken, see [Counted].
func (f frame) isCostly() bool {
	return f.kind != data || f.length < smallPiece && !f.ends()
}

// answers tells whether a frame may be what a client makes of data that it has read.
func (f frame) answers() bool { return f.kind == windows || f.kind == pings }

// bytesForAnswer is how many bytes a client has read at least for each such frame: Go's opens
// the window of the stream and that of the connection for 4 KiB. Of frames none is free, or
// a client could have an answer sent byte by byte.
const bytesForAnswer = 2 << 10

// ends tells whether nothing more comes in its direction.
func (f frame) ends() bool { return (f.kind == data || f.kind == headers) && f.flags&endStream != 0 }

// frameReader finds the frames in what goes over a connection in one direction.
type frameReader struct {
	skip   int // bytes until the next frame
	header [9]byte
	have   int // bytes of header
}

// each calls do for each frame whose header ends in b, which comes next.
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
