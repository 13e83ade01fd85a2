package stream

import (
	"net/http"

	"pubsub/server/conns"
)

// sink is the connection that a stream is written to. It is taken over, or, where that cannot
// be done, a goroutine writes to it, see handlersink.go. One goroutine at a time may write.
type sink interface {
	// TryWrite writes what there is room for at once. It may keep b, which must not change.
	// The first n bytes of b are done with. If waits is true, go on with Write.
	TryWrite(b []byte) (n int, waits bool, err error)
	// Write waits until b is written, after all that TryWrite has buffered. It fails if the
	// client does not read for about 20 seconds.
	Write(b []byte) (int, error)
	// CloseWrite tells the client that nothing more comes.
	CloseWrite() error
	// Close ends the sink. It does not wait: left is called when nothing is buffered any more.
	// What TryWrite has buffered is still sent, if the client reads it within a second. Call
	// Close once.
	Close(left func())
}

// hijackedSink is the sink over a connection that was taken over.
type hijackedSink struct{ *conns.Hijacked }

func (d hijackedSink) Close(left func()) { d.Finish(left) }

// takeOver takes over the connection of a request as the sink of a stream. Write head first.
// sent is input that the client has sent already.
func takeOver(w http.ResponseWriter, r *http.Request, status int) (d hijackedSink, head, sent []byte, err error) {
	head = headOf(w.Header(), status)
	conn, sent, err := conns.Hijack(w, r)
	return hijackedSink{conn}, head, sent, err
}
