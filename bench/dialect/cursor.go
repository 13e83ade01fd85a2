package dialect

// cursor is GET /sub/CHANNEL?since=CURSOR of the server under test and of the
// floor: an answer has all messages after the cursor, and the next cursor.
type cursor struct{ wait string } // seconds; 0 is a short poll

func (cursor) Remembers() bool { return true }

func (c cursor) AppendPoll(b []byte, host, channel string, cursor []byte) []byte {
	b = append(append(b, "GET /sub/"...), channel...)
	b = append(append(append(b, "?timeout="...), c.wait...), "&since="...)
	if len(cursor) == 0 {
		b = append(b, "now"...)
	}
	return get(append(b, cursor...), host)
}

func (cursor) AppendCursor(b, old, _, body []byte) []byte {
	if next := last(body, `"cursor":"`, '"'); next != nil {
		return append(b, next...)
	}
	return append(b, old...)
}

func (cursor) AppendPublish(b []byte, host, channel string, text []byte) []byte {
	return post(b, "/pub/", channel, host, "application/json", `{"nick":"bench","message":"`, text, `"}`)
}
