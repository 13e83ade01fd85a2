package pubsubtest

import (
	"flag"
	"runtime"
	"strconv"
)

// Parallel has twice as many tests run beside each other as there are cores, unless
// -parallel says how many: those that may mostly wait. Call it in TestMain.
func Parallel() {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0)))
	}
}
