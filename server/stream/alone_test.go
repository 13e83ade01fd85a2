package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// interrupted is an output that counts how often it is interrupted.
type interrupted struct {
	output
	times int
}

func (o *interrupted) SetWriteDeadline(time.Time) error { o.times++; return nil }

// A drain may cut a stream off before it has anything to write to, and when its handler
// has returned, after which a ResponseWriter must not be used.
func TestCloseAtAnyTime(t *testing.T) {
	out := new(interrupted)
	l := &solo{out: nil, cancel: func(error) {}}
	l.close()
	l.out = out
	l.setInterrupt(l.endWrite)
	l.close()
	require.Equal(t, 1, out.times)
	l.release()
	l.close()
	require.Equal(t, 1, out.times)
}
