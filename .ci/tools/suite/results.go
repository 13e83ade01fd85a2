package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// event is a line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// name is that of a test, or of a package.
type name struct{ pkg, test string }

func (n name) String() string {
	return strings.TrimSpace(strings.TrimPrefix(n.pkg, "pubsub/") + " " + n.test)
}

// results are what all tests of all rounds came to. It is safe for concurrent use.
type results struct {
	out io.Writer

	mu      sync.Mutex // guards the rest, and keeps lines of output together
	output  map[name][]string
	slowest map[name]time.Duration // the longest run of each test
	passed  int
	failed  map[name]int // how often, by test, or by package where no test failed
}

func newResults(out io.Writer) *results {
	return &results{out: out, output: make(map[name][]string), slowest: make(map[name]time.Duration), failed: make(map[name]int)}
}

// read runs go test, and takes in what it says.
func (r *results) read(cmd *exec.Cmd) {
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.fail(name{cmd.Dir, ""}, err.Error()+"\n")
		return
	}
	told := r.failures()
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.take(line)
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil && r.failures() == told {
		r.fail(name{cmd.Dir, ""}, fmt.Sprintf("go test: %v\n", err))
	}
}

func (r *results) take(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(r.out, line) // not of a test
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := name{cmp.Or(e.Package, e.ImportPath), e.Test}
	switch e.Action {
	case "output", "build-output":
		r.output[at] = append(r.output[at], e.Output)
	case "pass", "skip":
		r.end(at, e)
	case "fail", "build-fail":
		r.fails(at, e)
	}
}

// end takes in the end of a test or package that did not fail. mu is held.
func (r *results) end(at name, e event) {
	if at.test == "" {
		r.printResult(at)
	} else if e.Action == "pass" {
		r.passed++
	}
	r.note(at, e)
}

// fails takes in the end of one that failed. mu is held.
func (r *results) fails(at name, e event) {
	if at.test != "" || !r.anyFailed(at.pkg) { // a package has no failure of its own where a test has
		r.failed[at]++
	}
	if at.test == "" {
		r.printUnended(at.pkg)
	}
	fmt.Fprint(r.out, strings.Join(r.output[at], ""))
	r.note(at, e)
}

// printUnended prints what the tests of a package wrote that have not ended: go test writes the
// stacks of a panic, or of a time limit, into one of them. mu is held.
func (r *results) printUnended(pkg string) {
	var tests []name
	for at := range r.output {
		if at.pkg == pkg && at.test != "" {
			tests = append(tests, at)
		}
	}
	slices.SortFunc(tests, func(a, b name) int { return cmp.Compare(a.test, b.test) })
	for _, at := range tests {
		fmt.Fprint(r.out, strings.Join(r.output[at], ""))
		delete(r.output, at)
	}
}

// note takes in how long a test took, and forgets what it wrote. mu is held.
func (r *results) note(at name, e event) {
	delete(r.output, at)
	if at.test != "" && !strings.Contains(at.test, "/") {
		r.slowest[at] = max(r.slowest[at], time.Duration(e.Elapsed*float64(time.Second)))
	}
}

// printResult prints the line of a package that passed: its last. mu is held.
func (r *results) printResult(at name) {
	lines := r.output[at]
	if len(lines) > 0 && !strings.Contains(lines[len(lines)-1], "[no test files]") {
		fmt.Fprint(r.out, lines[len(lines)-1])
	}
}

func (r *results) anyFailed(pkg string) bool {
	for at := range r.failed {
		if at.pkg == pkg && at.test != "" {
			return true
		}
	}
	return false
}

func (r *results) fail(at name, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprint(r.out, why)
	r.failed[at]++
}

func (r *results) failures() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, times := range r.failed {
		n += times
	}
	return n
}

// shown is how many of the slowest tests are told.
const shown = 10

// summarize tells the slowest tests, what failed how often, and how long all took.
func (r *results) summarize(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]name, 0, len(r.slowest))
	for at := range r.slowest {
		names = append(names, at)
	}
	slices.SortFunc(names, func(a, b name) int { return cmp.Compare(r.slowest[b], r.slowest[a]) })
	fmt.Fprintln(r.out, "\nThe slowest tests:")
	for _, at := range names[:min(shown, len(names))] {
		fmt.Fprintf(r.out, "%6.1f s  %s\n", r.slowest[at].Seconds(), at)
	}
	failed := 0
	for at, times := range r.failed {
		fmt.Fprintf(r.out, "failed %d times: %s\n", times, at)
		failed += times
	}
	fmt.Fprintf(r.out, "\n%d passed, %d failed\n", r.passed, failed)
	fmt.Fprintf(r.out, "All tests took %.0f s.\n", took.Seconds())
}
