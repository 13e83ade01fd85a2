package history_test

import (
	"encoding/json"
	"testing"
	"time"

	"pubsub/server/history"

	"github.com/stretchr/testify/require"
)

func TestAppendTimestamp(t *testing.T) {
	for want, at := range map[string]time.Time{
		"1763682109.123456": time.UnixMicro(1763682109_123456),
		"1763682109.000001": time.UnixMicro(1763682109_000001),
		"1763682109.000000": time.Unix(1763682109, 0),
	} {
		got := history.AppendTimestamp(nil, at)
		require.Equal(t, want, string(got))
		require.True(t, json.Valid(got))
	}
}

func FuzzParseSince(f *testing.F) {
	for _, s := range []string{"", "now", "all", "-5", "--5", "-", "abc-1", "abc-01", "abc--1", "ABC-1", "a-18446744073709551616"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := history.ParseSince(text); err != nil {
			require.ErrorIs(t, err, history.ErrCursor)
		}
		cursor, err := history.ParseCursor(text)
		if err == nil {
			require.Equal(t, text, cursor.String(), "a cursor has one text")
		}
	})
}
