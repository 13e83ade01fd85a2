package pubsubtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

var (
	buildMu sync.Mutex
	bin     string // the folder of this process's program; empty until it is built
	kept    bool   // whether others use that folder, too
)

// Shared names a folder, in the environment, that has the program already: many packages
// of tests need the same one, and linking it takes longer than many a test. make test sets it.
const Shared = "PUBSUBTEST_BIN"

// Build installs the program as a buildpack does, with go install and these flags,
// into a folder of this process, and returns that folder. The first call counts:
// later ones return the same folder whatever their flags. [Start] builds without
// flags if nobody has built before. Without flags the program that [Shared] names is taken,
// if it names one. Remove must be called in the end.
func Build(flags ...string) (dir string, err error) {
	buildMu.Lock()
	defer buildMu.Unlock()
	if bin != "" {
		return bin, nil
	}
	if dir = os.Getenv(Shared); dir != "" && len(flags) == 0 {
		bin, kept = dir, true
		return bin, nil
	}
	source, err := root()
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "pubsubtest-"); err != nil {
		return "", err
	}
	install := exec.Command("go", append(append([]string{"install"}, flags...), ".")...)
	install.Dir = source
	install.Env = append(os.Environ(), "GOBIN="+dir)
	out, err := install.CombinedOutput()
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "pubsub")) // the name that the Procfile has
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("%v: %w\n%s", install, err, out), os.RemoveAll(dir))
	}
	bin = dir
	return bin, nil
}

// lookAtSource looks at what the program is made of. go test notes what a test looks at,
// in its own module and while tests run, and answers from its cache only as long as that
// is as it was. What the go command reads to build the program it does not see.
var lookAtSource = sync.OnceFunc(func() {
	source, err := root()
	if err != nil {
		return // nothing can be built then, which is told there
	}
	_, _ = os.ReadDir(source)
	for _, dir := range []string{"server", "static", "templates", "clients/go", "clients/js", "internal/cli", "internal/torture"} {
		_ = filepath.WalkDir(filepath.Join(source, dir), func(string, os.DirEntry, error) error { return nil })
	}
})

// RaceFlag is -race if the tests themselves run with the race detector, for Build.
func RaceFlag() (flags []string) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		flags = append(flags, "-race")
	}
	return flags
}

// Remove removes what was built. No program may be started after it.
func Remove() {
	buildMu.Lock()
	defer buildMu.Unlock()
	if bin != "" && !kept {
		_ = os.RemoveAll(bin) // a folder of the system's temporary ones
	}
	bin = ""
}

// root is the folder of the program's module: that of the tests, or one above it.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module pubsub\n") {
			return dir, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", errors.New("no folder above this one has the go.mod of pubsub")
		}
		dir = above
	}
}
