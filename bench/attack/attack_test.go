package attack

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttacksAreNamed(t *testing.T) {
	all, err := Named("all")
	require.NoError(t, err)
	require.Len(t, all, len(All))
	some, err := Named("mix,none")
	require.NoError(t, err)
	require.Equal(t, "mix", some[0].Name)
	require.Equal(t, "none", some[1].Name)
	_, err = Named("mix,,none")
	require.ErrorContains(t, err, "take some of none,forwarded")
	for _, a := range All {
		require.Regexp(t, `^[0-9A-Z].*[.?]$`, a.About)
	}
}

func TestMarks(t *testing.T) {
	marks := Marks{Memory: 200, Health: 100 * time.Millisecond, Kept: 20, Ratio: 2}
	good := Row{Before: 50 * mb, Peak: 200 * mb, After: 70 * mb, Worst: 100 * time.Millisecond, Calm: time.Second, During: 2 * time.Second}
	require.Empty(t, marks.missed(good))

	bad := Row{Before: 50 * mb, Peak: 201 * mb, After: 71 * mb, Worst: time.Second, Beside: 50 * time.Millisecond, Calm: time.Second, During: 3 * time.Second,
		Lost: 1, Doubled: 2, Gaps: 3, Refused: 4, Broken: 5}
	require.Equal(t, []string{"memory above 200 MB", "/healthz slower than 100ms, beside it 50ms", "more than 20 MB kept beside messages", "chat more than 2 times later",
		"1 lost", "2 doubled", "3 false gaps", "4 honest messages refused", "5 answers of 5xx without a reason"}, marks.missed(bad))

	kept := good
	kept.After, kept.Messages = 160*mb, 90*mb
	require.Empty(t, marks.missed(kept), "messages may be kept")
	kept.Messages--
	require.NotEmpty(t, marks.missed(kept))
}

func TestAnswersWithoutAReasonAreBroken(t *testing.T) {
	var a answers
	for _, got := range []answer{{200, nil}, {200, nil}, {0, nil}, {503, []byte(`{"error":"full"}`)}} {
		a.add(got)
	}
	require.Equal(t, "none ×1, 200 ×2, 503 ×1", a.String())
	require.Zero(t, a.broken.Load())
	for _, got := range []answer{{503, nil}, {500, []byte(`{"error":"sorry"}`)}, {999, nil}} {
		a.add(got)
	}
	require.EqualValues(t, 3, a.broken.Load())
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	WriteMarkdown(&b, []Row{{Attack: "a|b", Peak: 3 * mb, Lost: 2, Missed: []string{"2 lost"}}})
	lines := strings.Split(b.String(), "\n")
	require.Len(t, lines, 4)
	require.Contains(t, lines[2], `| a\|b | 0, 3, 0 MB |`)
	require.Contains(t, lines[2], "| 2 lost |")
}

// Addresses of one kind are never those of another.
func TestAddresses(t *testing.T) {
	seen := map[address]bool{attacker: true, poster: true, prober: true}
	for i := range maxPeople {
		for _, a := range []address{accomplice(i), person(i), newcomer(i)} {
			require.False(t, seen[a], a)
			require.True(t, 0 < a[3] && a[3] < 255, a)
			seen[a] = true
		}
	}
}
