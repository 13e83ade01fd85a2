// Package cli is the words tail, post and health of the program: a person, or a script, reads
// channels, posts to one from a terminal, or asks how a server is. The first two are clients as
// everybody's programs are, over clients/go. print.go writes messages.
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
	err = parseFlags(set, args, help, stdout)
	switch {
	case err != nil:
		return "", nil, err
	case set.NArg() < 2:
		return "", nil, usage(set, errors.New("which server, and which channel? Give a URL, such as http://127.0.0.1:8080, and a name"))
	}
	server, channels = set.Arg(0), set.Args()[1:]
	if !isServer(server) {
		return "", nil, usage(set, notServer(server))
	}
	return server, channels, nil
}

// parseFlags reads the flags of a word. If help was asked for it is written, and the error is
// [flag.ErrHelp].
func parseFlags(set *flag.FlagSet, args []string, help string, stdout io.Writer) error {
	set.SetOutput(io.Discard) // the caller tells
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		set.SetOutput(stdout)
		set.PrintDefaults()
		return err
	case err != nil:
		return usage(set, err)
	}
	return nil
}

// isServer tells whether a text is the URL of a server.
func isServer(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func notServer(text string) error {
	return fmt.Errorf("%q is not the URL of a server, such as http://127.0.0.1:8080 (flags stand before it)", text)
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
