// Package version tells which version of the program runs.
package version

import (
	"runtime"
	"runtime/debug"
)

// Number is the newest release in CHANGELOG.md. It is written here because a build outside
// of a checkout does not know its tag.
const Number = "0.2.0"

// Revision returns the commit that the program was built from: 12 digits, "+" behind them if
// files had changed. It is empty if the build does not know its commit.
func Revision() (revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return revisionIn(info.Settings)
}

func revisionIn(settings []debug.BuildSetting) (revision string) {
	changed := ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + changed
}

// String returns all of it for a person, such as "0.2.0 39fbcd0a1b2c, go1.26.0".
func String() string {
	text := Number
	if revision := Revision(); revision != "" {
		text += " " + revision
	}
	return text + ", " + runtime.Version()
}
