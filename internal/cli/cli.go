// Package cli is the words tail and post of the program: a person, or a script, reads
// channels and posts to one from a terminal. Both are clients as everybody's programs are,
// over clients/go. print.go writes messages.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"syscall"

	pubsub "pubsub/clients/go"
)

// ErrUsage is the error for arguments that make no sense. The program ends with status 2.
var ErrUsage = errors.New("see -help")

// parse reads the arguments of a word into its flags, and the URL of a server and names of
// channels. If help was asked for it is written, and the error is [flag.ErrHelp].
func parse(set *flag.FlagSet, args []string, help string, stdout io.Writer) (server string, channels []string, err error) {
	set.SetOutput(io.Discard) // the caller tells
	err = set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		set.SetOutput(stdout)
		set.PrintDefaults()
		return "", nil, err
	case err != nil:
		return "", nil, usage(set, err)
	case set.NArg() < 2:
		return "", nil, usage(set, errors.New("which server, and which channel? Give a URL, such as http://127.0.0.1:8080, and a name"))
	}
	server, channels = set.Arg(0), set.Args()[1:]
	if u, err := url.Parse(server); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", nil, usage(set, fmt.Errorf("%q is not the URL of a server, such as http://127.0.0.1:8080 (flags stand before it)", server))
	}
	return server, channels, nil
}

// clientOf is a client of a server, with the token of the environment if there is one: who
// looks at the machine's processes sees their flags.
func clientOf(server string) *pubsub.Client {
	return &pubsub.Client{URL: server, Token: os.Getenv("PUBSUB_TOKEN")}
}

func usage(set *flag.FlagSet, err error) error {
	return fmt.Errorf("%w; %w", err, usageOf(set.Name()))
}

// usageOf is ErrUsage with the name of a word.
type usageOf string

func (u usageOf) Error() string        { return "see pubsub " + string(u) + " -help" }
func (u usageOf) Is(target error) bool { return target == ErrUsage }

// helped drops the error of a parse that was done with the help.
func helped(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

// well drops the errors with which a word ends well: it was interrupted, or nobody reads
// what it prints any more.
func well(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}
