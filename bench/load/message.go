package load

import (
	"bytes"
	"strconv"
	"time"
)

// Stamp is what a published text says of itself, so that every dialect can be
// measured in the same way.
type Stamp struct {
	Message  int           // 0, 1, 2 …
	Intended time.Duration // when it was meant to be published, since the run's base
}

// AppendText appends a message's text for the run named nonce, filled up to
// size bytes. It is safe in JSON and in a form as it stands.
func AppendText(b []byte, nonce string, s Stamp, size int) []byte {
	from := len(b)
	b = append(append(b, "tick-"...), nonce...)
	b = strconv.AppendInt(append(b, '-'), int64(s.Message), 10)
	b = strconv.AppendInt(append(b, '-'), int64(s.Intended), 10)
	b = append(b, '-')
	for len(b)-from < size {
		b = append(b, 'x')
	}
	return b
}

// EachStamp calls got for every message of the run in body. prefix is "tick-",
// the nonce and "-".
func EachStamp(body, prefix []byte, got func(Stamp)) {
	for {
		at := bytes.Index(body, prefix)
		if at < 0 {
			return
		}
		body = body[at+len(prefix):]
		message, n := digits(body)
		intended, m := digits(body[min(n+1, len(body)):])
		if n > 0 && m > 0 {
			got(Stamp{int(message), time.Duration(intended)})
		}
	}
}

// digits reads the number that b begins with and returns its length.
func digits(b []byte) (value int64, n int) {
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		value = value*10 + int64(b[n]-'0')
		n++
	}
	return value, n
}
