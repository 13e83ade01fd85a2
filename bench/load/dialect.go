package load

// Dialect is one server's way to poll and publish. A cursor is whatever its
// client must send to go on after the last answer; empty at first. The methods
// append to b, keep nothing, and are safe for concurrent use.
type Dialect interface {
	// AppendPoll appends a poll for what comes after cursor.
	AppendPoll(b []byte, host, channel string, cursor []byte) []byte
	// AppendCursor appends the cursor after an answer, or the old one.
	AppendCursor(b, old, head, body []byte) []byte
	// AppendPublish appends the publishing of a text that needs no escaping.
	AppendPublish(b []byte, host, channel string, text []byte) []byte
	// Remembers tells whether there is a cursor. Without one a server may lose
	// what is published between two polls.
	Remembers() bool
}

// Endless is a dialect whose polls open streams: an answer goes on until the
// connection ends, and AppendCursor is not called.
type Endless interface {
	Dialect
	// Framed tells whether a stream is a WebSocket's frames. Else it is lines,
	// and a message is in one of them.
	Framed() bool
	// AppendHello appends what the client says when the stream is open; mostly
	// nothing.
	AppendHello(b []byte, channel string) []byte
}
