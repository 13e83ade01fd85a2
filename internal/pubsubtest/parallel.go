package pubsubtest

import (
	"flag"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Parallel has twice as many tests run beside each other as there are cores, unless
// -parallel says how many: those that may mostly wait. Call it in TestMain.
func Parallel() { ParallelTimes(2) }

// ParallelTimes is Parallel with so many tests for each core.
func ParallelTimes(n int) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set(strconv.Itoa(n * runtime.GOMAXPROCS(0)))
	}
}

// ShortSize sets flags, NAME=VALUE, in the short size, but for those that were given. Call
// it in TestMain.
func ShortSize(sizes ...string) {
	flag.Parse()
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, size := range sizes {
		name, value, _ := strings.Cut(size, "=")
		if !testing.Short() || given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			panic(err) // of a flag that is not there
		}
	}
}

// Size is long, and short in the short size: how many of something a test has.
func Size[T any](long, short T) T {
	if testing.Short() {
		return short
	}
	return long
}
