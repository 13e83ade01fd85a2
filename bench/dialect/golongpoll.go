package dialect

// golongpoll is the Go module's: an event's id is a time in milliseconds and
// a UUID.
type golongpoll struct{}

const uuidLength = 36

func (golongpoll) Remembers() bool { return true }

// AppendPoll takes a cursor of a time, and a UUID after it if there was one.
func (golongpoll) AppendPoll(b []byte, host, channel string, cursor []byte) []byte {
	b = append(append(b, "GET /sub?timeout=110&category="...), channel...)
	if split := len(cursor) - uuidLength; split > 0 {
		b = append(append(b, "&since_time="...), cursor[:split]...)
		b = append(append(b, "&last_id="...), cursor[split:]...)
	} else if len(cursor) > 0 {
		b = append(append(b, "&since_time="...), cursor...)
	}
	return get(b, host)
}

func (golongpoll) AppendCursor(b, old, _, body []byte) []byte {
	if id := last(body, `"id":"`, '"'); len(id) == uuidLength {
		return append(append(b, last(body, `"timestamp":`, ',')...), id...)
	}
	if timeout := last(body, `"timestamp":`, '}'); timeout != nil {
		return append(b, timeout...)
	}
	return append(b, old...)
}

func (golongpoll) AppendPublish(b []byte, host, channel string, text []byte) []byte {
	return post(b, "/pub", "", host, "application/json", `{"category":"`+channel+`","data":{"nick":"bench","message":"`, text, `"}}`)
}
