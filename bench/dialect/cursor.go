package dialect

// cursor is GET /sub/CHANNEL?since=CURSOR of the server under test and of the
// floor: an answer has all messages after the cursor, and the next cursor.
type cursor struct{}

func (cursor) Remembers() bool { return true }

func (cursor) AppendPoll(b []byte, host, channel string, cursor []byte) []byte {
	b = append(append(b, "GET /sub/"...), channel...)
	b = append(b, "?timeout=60&since="...)
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
