package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithoutComments(t *testing.T) {
	for source, want := range map[string]string{
		"":                                    "",
		"a();\n":                              "a();\n",
		"a();":                                "a();\n",
		"// one\n  // two\n  a(); // stays\n": "\n\na(); // stays\n",
		"/** one */\n  a();\n":                "\na();\n",
		"/**\n * two\n */\na();\n":            "\n\n\na();\n",
		"/* css\n   goes on */\np {\n  x: y;\n}\n": "\n\np {\nx: y;\n}\n",
		"/** @type {A} */ (a).b();\n":              "/** @type {A} */ (a).b();\n",
		"/* a */ b(); /* c */\n":                   "/* a */ b(); /* c */\n",
		`let a = "http://x"; // b` + "\n":          `let a = "http://x"; // b` + "\n",
		"let a = /[/*]/;\nlet b = /\\*/;\n":        "let a = /[/*]/;\nlet b = /\\*/;\n",
	} {
		require.Equal(t, want, string(stripComments([]byte(source))), source)
	}
}

// What the page loads has the same lines at the same places, and no text in it goes over several lines, of which one
// might look like a comment.
func TestFilesOfThePageWithoutComments(t *testing.T) {
	read := 0
	for _, pattern := range []string{"../../static/*.js", "../../static/*.css", "../../clients/js/*.js"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range names {
			source, err := os.ReadFile(name)
			require.NoError(t, err)
			before, after := strings.Split(string(source), "\n"), strings.Split(string(stripComments(source)), "\n")
			require.Len(t, after, len(before), name)
			for i, line := range after {
				require.Contains(t, []string{"", strings.TrimSpace(before[i])}, line, name)
				require.Zero(t, strings.Count(line, "`")%2, "%s: %s", name, line)
			}
			read++
		}
	}
	require.Greater(t, read, 30)
}
