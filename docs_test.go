package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever looks a setting up finds it, as the flag and as the variable.
func TestEverySettingIsDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/configure.md")
	require.NoError(t, err)
	var help bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-help"}, nil, &help, io.Discard))
	flags := regexp.MustCompile(`(?m)^  -([a-z-]+)$`).FindAllStringSubmatch(help.String(), -1)
	require.Greater(t, len(flags), 20, "what -help looks like has changed: %s", &help)
	for _, flag := range flags {
		row := "\n| `-" + flag[1] + "`"
		if flag[1] != "version" { // which is a flag alone
			row += ", `PUBSUB_" + strings.ToUpper(strings.ReplaceAll(flag[1], "-", "_")) + "`"
		}
		require.Contains(t, string(page), row+" |", "docs/configure.md lacks -%s", flag[1])
	}
}

var goReason = regexp.MustCompile(`(?:Reason: |TooMany\(|Full\(|const reason = |http\.Status\w+: +)"([a-z-]+)"`)

// Whoever finds a reason in the log or in the metrics can look it up.
func TestEveryReasonIsDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/operate.md")
	require.NoError(t, err)
	found := 0
	require.NoError(t, filepath.WalkDir("server", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, reason := range goReason.FindAllStringSubmatch(string(text), -1) {
			found++
			require.True(t, isInFirstColumn(string(page), "`"+reason[1]+"`"), "docs/operate.md lacks a row with %s", reason[1])
		}
		return err
	}))
	require.Greater(t, found, 15, "what a reason looks like has changed")
}

func isInFirstColumn(page, what string) bool {
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) > 1 && strings.Contains(cells[1], what) {
			return true
		}
	}
	return false
}

var (
	mdLink    = regexp.MustCompile(`\]\(([^)#:\s]*)(#[^)\s]*)?\)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	mdCode    = regexp.MustCompile("(?ms)^```.*?^```")
	noAnchor  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// pages are all pages but those of clients and tests.
func pages(t *testing.T) (all []string) {
	all, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir("docs", func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			all = append(all, path)
		}
		return err
	}))
	require.Greater(t, len(all), 10)
	return all
}

// A link from one page to another leads to a file that is there, and to a heading
// that is in it.
func TestLinksOfThePages(t *testing.T) {
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, link := range mdLink.FindAllStringSubmatch(string(text), -1) {
			to := page
			if link[1] != "" {
				to = filepath.Join(filepath.Dir(page), link[1])
			}
			if link[2] == "" {
				_, err := os.Stat(to)
				require.NoError(t, err, "%s links to %s", page, link[1])
				continue
			}
			require.Contains(t, anchors(t, to), link[2], "%s links to %s", page, link[0])
		}
	}
}

// mdFile is a file or a folder of this repository, as pages name it: with its folder.
var mdFile = regexp.MustCompile("`((?:[a-z][a-z0-9_.-]*/)+[A-Za-z0-9_.-]+\\.(?:go|js|css|conf|yaml|py|md)|(?:[a-z][a-z0-9_.-]*/){2,})`")

// A file that a page names is there: beside the page, in the repository, or in server/.
func TestFilesInThePages(t *testing.T) {
	named := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, file := range mdFile.FindAllStringSubmatch(mdCode.ReplaceAllString(string(text), ""), -1) {
			named++
			there := false
			for _, folder := range []string{".", filepath.Dir(page), "server"} {
				_, err := os.Stat(filepath.Join(folder, file[1]))
				there = there || err == nil
			}
			require.True(t, there, "%s names %s", page, file[1])
		}
	}
	require.Greater(t, named, 20)
}

// anchors are the headings of a page as links name them.
func anchors(t *testing.T, page string) (all []string) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, heading := range mdHeading.FindAllStringSubmatch(mdCode.ReplaceAllString(string(text), ""), -1) {
		name := noAnchor.ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, "#"+strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
