package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func (s *running) sayText(t require.TestingT, text string) {
	fine(t)(s.do(t, "POST", "/pub?nick=ann&message="+text, ""))
}

// A reader of a conversation knows by its length alone that there is something new.
// Where lines leave as others come, newlines at the end make the difference.
func TestEachNewLineChangesTheLength(t *testing.T) {
	t.Parallel()
	config := open()
	config.HistoryMessages = 3
	s := start(t, config)
	shown, kept := "", []string{}
	for id := 1; id <= 140; id++ {
		said := fmt.Sprintf("same-length-%03d", id)
		c := s.dial(t, fmt.Sprint("/chat?cur_len=", len(shown)))
		s.polling(t, 1)
		s.sayText(t, said)
		var status int
		status, shown = answer(t, c)
		c.Close()
		require.Equal(t, http.StatusOK, status)
		kept = append(kept, "ann: "+said+"\n")
		text := strings.Join(kept[max(0, id-3):], "")
		if id <= 3 {
			require.Equal(t, text, shown, "as long as no line has left, there is nothing else")
			continue
		}
		require.Equal(t, text, shown[:len(text)])
		require.Empty(t, strings.Trim(shown[len(text):], "\n"))
		require.LessOrEqual(t, len(shown)-len(text), 64)
		require.Equal(t, id%64, len(shown)%64)
	}
	resp, _ := s.do(t, "GET", fmt.Sprint("/chat?timeout=0&cur_len=", len(shown)), "")
	require.Equal(t, http.StatusNotModified, resp.StatusCode)
}

// The first line that leaves may do so where the length is what the rule for those
// after it asks for.
func TestFirstLineThatLeavesChangesTheLength(t *testing.T) {
	t.Parallel()
	config := open()
	config.HistoryMessages = 3
	s := start(t, config)
	s.sayText(t, "seventeen-letters")
	s.sayText(t, "seventeen-letters")
	s.sayText(t, "sixteen--letters")
	before := s.get(t, "/chat")
	require.Len(t, before, 64+4)
	s.sayText(t, "SEVENTEEN-LETTERS")
	resp, after := s.do(t, "GET", fmt.Sprint("/chat?timeout=0&cur_len=", len(before)), "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Contains(t, after, "SEVENTEEN")
	require.Equal(t, 4, len(after)%64)
}
