package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// said takes in what go test said, and returns what is told of it.
func said(t *testing.T, lines string, want int) string {
	t.Helper()
	var out strings.Builder
	r := newResults(&out)
	for line := range strings.Lines(lines) {
		r.take(line)
	}
	if got := r.failures(); got != want {
		t.Errorf("%d failures, want %d", got, want)
	}
	r.summarize(90 * time.Second)
	return out.String()
}

func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

func TestFailureIsTold(t *testing.T) {
	text := said(t, `{"Action":"output","Package":"pubsub/a","Test":"TestX","Output":"x.go:1: it is wrong\n"}
{"Action":"fail","Package":"pubsub/a","Test":"TestX","Elapsed":2.5}
{"Action":"output","Package":"pubsub/a","Test":"TestY","Output":"nobody asks\n"}
{"Action":"pass","Package":"pubsub/a","Test":"TestY","Elapsed":7}
{"Action":"output","Package":"pubsub/a","Output":"FAIL\tpubsub/a\t9s\n"}
{"Action":"fail","Package":"pubsub/a","Elapsed":9}
`, 1)
	has(t, text, "x.go:1: it is wrong", "FAIL\tpubsub/a", "7.0 s  a TestY\n   2.5 s  a TestX", "failed 1 times: a TestX", "1 passed, 1 failed", "took 90 s")
	if strings.Contains(text, "nobody asks") {
		t.Error("what a good test wrote is told")
	}
}

// The stacks of a package that took too long are told.
func TestTestThatNeverEnds(t *testing.T) {
	text := said(t, `{"Action":"output","Package":"pubsub/a","Test":"TestX","Output":"panic: test timed out\n"}
{"Action":"output","Package":"pubsub/c","Test":"TestZ","Output":"another package\n"}
{"Action":"output","Package":"pubsub/a","Output":"FAIL\tpubsub/a\t600s\n"}
{"Action":"fail","Package":"pubsub/a","Elapsed":600}
`, 1)
	has(t, text, "panic: test timed out\nFAIL\tpubsub/a")
	if strings.Contains(text, "another package") {
		t.Error("the output of a test that still runs is told")
	}
}

func TestPackageThatDoesNotBuild(t *testing.T) {
	text := said(t, `{"ImportPath":"pubsub/b [pubsub/b.test]","Action":"build-output","Output":"b.go:1: undefined: x\n"}
{"ImportPath":"pubsub/b [pubsub/b.test]","Action":"build-fail"}
{"Action":"output","Package":"pubsub/b","Output":"FAIL\tpubsub/b [build failed]\n"}
{"Action":"fail","Package":"pubsub/b","Elapsed":0,"FailedBuild":"pubsub/b [pubsub/b.test]"}
`, 2)
	has(t, text, "b.go:1: undefined: x", "FAIL\tpubsub/b [build failed]", "2 failed")
}

func TestCommandThatFails(t *testing.T) {
	var out strings.Builder
	r := newResults(&out)
	r.read(exec.Command("sh", "-c", "echo not JSON; exit 3"))
	if r.failures() != 1 {
		t.Error("it is no failure")
	}
	has(t, out.String(), "not JSON", "exit status 3")
}
