// Suite runs the tests of several modules beside each other, and tells at the end which
// were slowest and how long all took.
//
//	suite [flags] DIR[:PACKAGE,…] … [-- flags of go test]
//
// DIR is the folder of a module. Its packages are started in the order given, ./... if none
// are. With -rounds the tests are repeated, beside -loops processes that keep the processor
// busy, and at the end it is told what failed how often.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("suite", flag.ContinueOnError)
	rounds := flags.Int("rounds", 1, "how often the tests are run")
	loops := flags.Int("loops", 0, "how many endless loops run beside the tests")
	if err := flags.Parse(args); err != nil {
		return err
	}
	modules, goFlags := flags.Args(), []string(nil)
	if i := slices.Index(modules, "--"); i >= 0 {
		modules, goFlags = modules[:i], modules[i+1:]
	}
	for range *loops {
		defer endless(ctx)()
	}
	began := time.Now()
	all := newResults(os.Stdout)
	for round := range *rounds {
		if ctx.Err() != nil {
			break
		}
		roundBegan := time.Now()
		testAll(ctx, modules, goFlags, all)
		if *rounds > 1 {
			fmt.Printf("round %d took %.0f s; %d failures so far\n", round+1, time.Since(roundBegan).Seconds(), all.failures())
		}
	}
	all.summarize(time.Since(began))
	if n := all.failures(); n > 0 || ctx.Err() != nil {
		return fmt.Errorf("%d failures", n)
	}
	return nil
}

// testAll runs go test once for each module, all at the same time.
func testAll(ctx context.Context, modules, goFlags []string, all *results) {
	var tests sync.WaitGroup
	for _, module := range modules {
		tests.Go(func() {
			dir, packages, _ := strings.Cut(module, ":")
			if packages == "" {
				packages = "./..."
			}
			cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"test", "-json"}, goFlags, strings.Split(packages, ","))...)
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go ends the tests, and they what they started
			cmd.Dir = dir
			cmd.Stderr = os.Stderr
			all.read(cmd)
		})
	}
	tests.Wait()
}

// endless starts a process that does nothing, as fast as it can. The function that is
// returned ends it.
func endless(ctx context.Context) (end func()) {
	loop := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
	if err := loop.Start(); err != nil {
		panic(err)
	}
	return func() {
		_ = loop.Process.Kill()
		_ = loop.Wait()
	}
}
