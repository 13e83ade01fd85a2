package stream

import (
	"net/http"

	"pubsub/server/conns"
)

// link is what a stream is written to: a connection that was taken over, or where that
// cannot be done, one that a goroutine writes to, see handed.go. One goroutine at a time
// may write.
type link interface {
	// TryWrite writes what there is room for at once, and keeps b, which must not change.
	// n bytes of b need not be written again. If waits is true, go on with Write.
	TryWrite(b []byte) (n int, waits bool, err error)
	// Write waits until b is written, after what TryWrite has kept. It fails if the client
	// does not read for about 20 seconds.
	Write(b []byte) (int, error)
	// CloseWrite tells the client that nothing more comes.
	CloseWrite() error
	// Close ends the link. What TryWrite has kept is still sent, if the client reads it
	// within a second. It does not wait: left is called when nothing is kept any more. Call
	// it once.
	Close(left func())
}

// direct is the link over a connection that was taken over.
type direct struct{ *conns.Taken }

func (d direct) Close(left func()) { d.Finish(left) }

// takeOver makes the link of a stream out of the connection of its request. head is what
// comes before anything else, and sent is what the client has said already.
func takeOver(w http.ResponseWriter, r *http.Request, status int) (d direct, head, sent []byte, err error) {
	head = headOf(w.Header(), status)
	conn, sent, err := conns.TakeOver(w, r)
	return direct{conn}, head, sent, err
}
