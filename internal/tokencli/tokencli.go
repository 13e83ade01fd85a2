// Package tokencli is the word token of the program: it makes a token.
package tokencli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"pubsub/server/tokens"
)

const help = `pubsub token makes a token for a server that asks for one. It signs with
PUBSUB_TOKEN_KEY if that is the secret of the server, or with the private key
of the public one that the server has.

Usage: pubsub token [flags]

  PUBSUB_TOKEN_KEY=$(cat secret) pubsub token -subscribe 'room-*' -publish lobby
  pubsub token -key private.pem -subscribe '*' -nick ann -for 10m

A right is a channel's name, or the beginning of names with a * behind; several
have commas between them.

`

// ErrUsage is the error for wrong flags.
var ErrUsage = errors.New("see pubsub token -help")

type options struct {
	key, publish, subscribe, nick, audience, issuer string
	operate                                         bool
	last                                            time.Duration
}

func (o *options) flags() *flag.FlagSet {
	set := flag.NewFlagSet("token", flag.ContinueOnError)
	set.SetOutput(io.Discard) // the caller tells
	set.StringVar(&o.key, "key", "", "the secret, or the `path` of a PEM file with the private key; PUBSUB_TOKEN_KEY if not set")
	set.StringVar(&o.publish, "publish", "", "`channels` on which it may publish")
	set.StringVar(&o.subscribe, "subscribe", "", "`channels` that it may read")
	set.BoolVar(&o.operate, "operate", false, "it may see /metrics and /debug")
	set.StringVar(&o.nick, "nick", "", "the `name` under which it publishes; any if not set")
	set.DurationVar(&o.last, "for", time.Hour, "how long it is good")
	set.StringVar(&o.audience, "audience", "", "as the server's -token-audience")
	set.StringVar(&o.issuer, "issuer", "", "as the server's -token-issuer")
	return set
}

// Main prints a token, with the flags of args and the variables of getenv.
func Main(args []string, getenv func(string) string, stdout io.Writer) error {
	o := new(options)
	set := o.flags()
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		set.SetOutput(stdout)
		set.PrintDefaults()
		return nil
	case err != nil:
		return fmt.Errorf("%w; %w", err, ErrUsage)
	case set.NArg() > 0:
		return fmt.Errorf("%q is no flag; %w", set.Arg(0), ErrUsage)
	case o.last <= 0:
		return fmt.Errorf("-for must be above 0; %w", ErrUsage)
	}
	for _, env := range []struct {
		name string
		to   *string
	}{{"PUBSUB_TOKEN_KEY", &o.key}, {"PUBSUB_TOKEN_AUDIENCE", &o.audience}, {"PUBSUB_TOKEN_ISSUER", &o.issuer}} {
		if *env.to == "" {
			*env.to = getenv(env.name)
		}
	}
	return o.print(stdout)
}

func (o *options) print(stdout io.Writer) error {
	if o.key == "" {
		return fmt.Errorf("with which key? Set PUBSUB_TOKEN_KEY or -key; %w", ErrUsage)
	}
	rights := tokens.Rights{Publish: split(o.publish), Subscribe: split(o.subscribe), Operate: o.operate}
	token, err := tokens.Sign(o.key, tokens.Claims{Name: o.nick, Expires: time.Now().Add(o.last), Rights: rights}, o.audience, o.issuer)
	if err != nil {
		return fmt.Errorf("%w; %w", err, ErrUsage)
	}
	_, err = fmt.Fprintln(stdout, token)
	return err
}

func split(names string) []string {
	if names == "" {
		return nil
	}
	return strings.Split(names, ",")
}
