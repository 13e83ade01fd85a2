package dialect

// original is the Python program's: GET /sub waits for the next message, and
// no channels. The floor and the server under test speak it too.
type original struct{}

func (original) Remembers() bool { return false }

func (original) AppendPoll(b []byte, host, _ string, _ []byte) []byte {
	return get(append(b, "GET /sub"...), host)
}

func (original) AppendCursor(b, _, _, _ []byte) []byte { return b }

func (original) AppendPublish(b []byte, host, _ string, text []byte) []byte {
	return post(b, "/pub", "", host, "application/x-www-form-urlencoded", "nick=bench&message=", text, "")
}
