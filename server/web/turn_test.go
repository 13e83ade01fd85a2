package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/turn"
	"pubsub/server/web"
)

// handsOn counts how often who serves in turn was told that a request may wait.
type handsOn struct{ times int }

func (h *handsOn) HandOn() { h.times++ }

// inTurn returns a request that is served in turn.
func (h *handsOn) inTurn(t *testing.T) *http.Request {
	return httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.WithValue(t.Context(), turn.Key{}, h))
}

// Whoever serves others in turn does not wait: neither for a time, nor until an answer is
// compressed.
func TestWhatWaitsHandsOn(t *testing.T) {
	h := new(handsOn)
	web.Pause(h.inTurn(t), 0)
	require.Equal(t, 1, h.times)

	r, compressor := h.inTurn(t), web.NewCompressor()
	body := []byte(strings.Repeat("x", 2<<10))
	require.NoError(t, web.WriteBody(compressor.For(httptest.NewRecorder(), r), http.StatusOK, body))
	require.Equal(t, 1, h.times, "the client accepts no compression")
	r.Header.Set("Accept-Encoding", "gzip")
	require.NoError(t, web.WriteBody(compressor.For(httptest.NewRecorder(), r), http.StatusOK, body[:100]))
	require.Equal(t, 1, h.times, "it is too short")
	require.NoError(t, web.WriteBody(compressor.For(httptest.NewRecorder(), r), http.StatusOK, body))
	require.Equal(t, 2, h.times)
}
