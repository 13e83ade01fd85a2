package check

// Op is one operation of a history: [Begun], [Again], [Acknowledged], [Failed],
// [Answered] or [Glanced].
type Op interface{ apply(c *Checker) }

// Place is a place in a channel's log: right after the message with the ID.
type Place struct {
	Epoch string // another one whenever the log began anew; empty if the server has none
	ID    uint64
}

// Message is one that a reader was given.
type Message struct {
	ID        uint64  // 0 if the server does not number its messages
	Timestamp float64 // Unix seconds; 0 if there is none
	Text      string
}

// Gap is what an answer tells of messages that the reader cannot have.
type Gap struct {
	Reason string // expired, restarted, ahead
	Missed uint64 // with expired: how many
}

// Begun is a post that is about to be sent for the first time. Posts are numbered by who
// feeds them, and no text is posted under two numbers.
type Begun struct {
	Post          int
	Channel, Text string
}

// Again is a post that is about to be sent once more, with the same idempotency key if
// the server knows such keys.
type Again struct{ Post int }

// Acknowledged is a server's answer that it has the post.
type Acknowledged struct {
	Post  int
	Place Place // the zero Place if the server does not tell
}

// Failed is a post that was given up without an acknowledgement. The server may have it
// all the same.
type Failed struct{ Post int }

// Answered is an answer that a reader has read to its end, and goes on from.
type Answered struct {
	Reader   int
	Channel  string
	Fresh    bool // the reader did not ask for what comes after its last answer, but began anew
	Messages []Message
	Next     Place // where the reader goes on
	Gap      *Gap
}

// Glanced is a short poll for the newest messages of a post's channel, begun after the
// post was acknowledged, perhaps at another instance.
type Glanced struct {
	Post     int
	Messages []Message
	Next     Place
}
