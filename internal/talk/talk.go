// Package talk is the words tail and post of the program: a person, or a script, reads
// channels and posts to one from a terminal. Both are clients as everybody's programs are,
// over clients/go. print.go writes messages.
package talk

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"syscall"
)

// ErrUsage is the error for arguments that make no sense. The program ends with status 2.
var ErrUsage = errors.New("see -help")

// parse reads the arguments of a word into its flags and the rest. An error is one for the
// caller of the word, and nil with done set if help was all that was asked for.
func parse(set *flag.FlagSet, args []string, help string, stdout io.Writer) (rest []string, done bool, err error) {
	set.SetOutput(io.Discard) // the caller tells
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		set.SetOutput(stdout)
		set.PrintDefaults()
		return nil, true, nil
	case err != nil:
		return nil, false, usage(set, err)
	}
	return set.Args(), false, nil
}

func usage(set *flag.FlagSet, err error) error {
	return fmt.Errorf("%w; %w", err, usageOf(set.Name()))
}

// usageOf is ErrUsage with the name of a word.
type usageOf string

func (u usageOf) Error() string        { return "see pubsub " + string(u) + " -help" }
func (u usageOf) Is(target error) bool { return target == ErrUsage }

// well drops the errors with which a word ends well: it was interrupted, or nobody reads
// what it prints any more.
func well(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}
