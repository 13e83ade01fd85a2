package stream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/web"
)

// slowOutput takes a second to write anything, and fails when its deadline is over.
type slowOutput struct {
	output
	wrote []byte
	sets  int
}

func (o *slowOutput) Write(b []byte) (int, error) {
	time.Sleep(time.Second)
	o.wrote = append(o.wrote, b...)
	return len(b), nil
}

func (o *slowOutput) SetWriteDeadline(time.Time) error { o.sets++; return nil }
func (o *slowOutput) Flush() error                     { return nil }
func (o *slowOutput) Close() error                     { return nil }

// What is handed over is written in order, also what waits, and what is there when the
// sink is closed; but no more is kept than a little.
func TestHandedOverInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(slowOutput)
		h := newHandlerSink(out)
		go func() {
			defer h.release()
			h.run(t.Context(), func() { t.Error("nobody has hung up") })
		}()
		for _, b := range []string{"a", "b", "c"} {
			n, waits, err := h.TryWrite([]byte(b))
			require.NoError(t, err)
			require.False(t, waits)
			require.Equal(t, 1, n)
		}
		n, err := h.Write([]byte("d"))
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, "abcd", string(out.wrote))
		large := make([]byte, maxQueueBytes)
		_, waits, _ := h.TryWrite(large)
		require.False(t, waits)
		n, waits, _ = h.TryWrite([]byte("too much"))
		require.True(t, waits)
		require.Zero(t, n)
		left := make(chan struct{})
		h.Close(func() { close(left) })
		<-left
		require.Len(t, out.wrote, 4+len(large))
		_, err = h.Write([]byte("late"))
		require.Error(t, err)
	})
}

// A drain may close a stream when its handler has returned, after which a ResponseWriter
// must not be used; and who hangs up is noticed, where a drain is not a hang-up.
func TestHandedEnds(t *testing.T) {
	for cause, hangsUp := range map[error]bool{context.Canceled: true, web.ErrDraining: false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			out := new(slowOutput)
			h := newHandlerSink(out)
			hungUp, left := make(chan struct{}, 1), make(chan struct{})
			go func() {
				defer h.release()
				h.run(ctx, func() { hungUp <- struct{}{} })
			}()
			cancel(cause)
			synctest.Wait()
			require.Len(t, hungUp, map[bool]int{true: 1}[hangsUp])
			h.Close(func() { close(left) })
			<-left
			before := out.sets
			h.hurry()
			require.Equal(t, before, out.sets)
		})
	}
}
