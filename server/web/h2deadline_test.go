package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// unread is an answer that nobody reads: each write waits so long, or until a deadline.
type unread struct {
	*httptest.ResponseRecorder
	wait      time.Duration
	deadline  chan struct{}
	deadlines int
}

func (u *unread) Write(b []byte) (int, error) {
	select {
	case <-time.After(u.wait):
		return len(b), nil
	case <-u.deadline:
		return 0, os.ErrDeadlineExceeded
	}
}

func (u *unread) SetWriteDeadline(time.Time) error {
	u.deadlines++
	u.deadline <- struct{}{}
	return nil
}

// Each write has its own time, and what comes between two of them has none.
func TestWritesThatAreHurried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := httptest.NewRequest("GET", "/", nil)
		u := &unread{ResponseRecorder: httptest.NewRecorder(), deadline: make(chan struct{}, 9)}
		require.Equal(t, http.ResponseWriter(u), WithDeadline(u, r), "HTTP/1.1 has it otherwise")
		r.ProtoMajor = 2
		w := WithDeadline(u, r)
		for range 3 {
			u.wait = readWithin - time.Second
			_, err := w.Write([]byte("slow"))
			require.NoError(t, err)
			time.Sleep(2 * readWithin)
		}
		w.(*h2Deadline).fail() // as the timer that ran out when the write ended
		require.Zero(t, u.deadlines, "nobody may use the writer of a handler that has returned")
		u.wait = time.Hour
		began := time.Now()
		_, err := w.Write([]byte("never"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, readWithin, time.Since(began))
		require.Equal(t, 1, u.deadlines)
	})
}

// Of two that want the same at the same time one compresses it, and the other waits.
func TestContentThatTwoAdd(t *testing.T) {
	c := NewCompressor()
	first, found := c.add([]byte("text"))
	require.False(t, found)
	second, found := c.add([]byte("text"))
	require.True(t, found)
	require.Same(t, first, second)
}
