package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What does not fit one platform is told for that one, and for no other.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module m\n\ngo 1.26\n",
		"all.go":      "package m\n\nimport \"net/http\"\n\nvar Most int = 1 << 53\n\nvar Server http.Server\n",
		"m_darwin.go": "package m\n\nvar Other string = 1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for platform, want := range map[string]string{"linux/386": "overflows", "linux/arm64": "", "darwin/arm64": "m_darwin.go"} {
		err := check(platform, []string{"./..."})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), platform+": ") || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", platform, err, want)
		}
	}
}
