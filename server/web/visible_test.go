package web_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/web"
)

func TestNamesThatCouldBeTakenForOthers(t *testing.T) {
	for _, name := range []string{
		"", " ", "\u3164", "\u2800", "\ufe0f", "\u200d", // nothing to see
		"ann\u200b", "a\u200dnn", "ann\ufe0f", "ann\u3164", "an\u00adn", "ann\U000e0061", // as ann
		"\u0430nn", "\u03bfnn", "mr \u0430nn", // letters of other alphabets
		"a\nb", "a\tb", "a\x00b", "a\u0085b", "a\u2028b", "a\u202eb", "\xff",
	} {
		require.Error(t, web.CheckName(name), "%q", name)
	}
	for _, name := range []string{
		"ann", "Zoë", "Zoe\u0308", "Аня", "DJ Аня", "Σοφία", "李雷", "a1_b-c", `"]}<script>`, "1\ufe0f\u20e3",
		"👩\u200d👧", "❤\ufe0f", "نامه\u200cای", "क्\u200dष",
	} {
		require.NoError(t, web.CheckName(name), "%q", name)
	}
}

func TestWhatShows(t *testing.T) {
	for _, text := range []string{"", " \n\t", "\u00a0", "\u200b", "\u3164\u2800", "\u202e"} {
		require.False(t, web.Shows(text), "%q", text)
	}
	for _, text := range []string{".", " a", "👩\u200d👧", "\u200bא"} {
		require.True(t, web.Shows(text), "%q", text)
	}
}
