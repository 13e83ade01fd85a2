package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	pubsub "pubsub/clients/go"
)

const tailHelp = `pubsub tail prints the messages of channels as they come, until it is
interrupted. It goes on after lost connections and restarts of the server, and
says so where messages are gone for good.

Usage: pubsub tail [flags] URL CHANNEL...

  pubsub tail http://127.0.0.1:8080 chat
  pubsub tail -since all -json http://127.0.0.1:8080 room news | jq .message

Where the server asks for a token, it is taken from PUBSUB_TOKEN.

`

// Tail does what the arguments after the word tail say: it prints messages to stdout until
// ctx ends, which is no error, nor is a stdout that nobody reads any more.
func Tail(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var from pubsub.From
	set := flag.NewFlagSet("tail", flag.ContinueOnError)
	set.StringVar(&from.Since, "since", "-10", "`where` to begin: all, now, -N for the last N, or a cursor")
	set.TextVar(&from.Way, "way", pubsub.SSE, "how to ask, one `way` of sse, poll and ws")
	set.StringVar(&from.Presence, "presence", "", "the `name` under which you are here meanwhile")
	asJSON := set.Bool("json", false, `print messages and {"gap": …} as lines of JSON, for programs`)
	server, channels, err := parse(set, args, tailHelp, stdout)
	if err != nil {
		return helped(err)
	}
	from.Lost = func(err error, wait time.Duration) {
		fmt.Fprintf(stderr, "pubsub: %v; trying again in %v\n", clean(err.Error()), wait.Round(100*time.Millisecond))
	}
	show := printer(plain{stdout, stderr, len(channels) > 1, isTerminal(stdout)})
	if *asJSON {
		show = lines{stdout}
	}
	ctx, stop := untilClosed(ctx, stdout)
	defer stop()
	return well(ctx, tail(ctx, clientOf(server), from, channels, show))
}

func tail(ctx context.Context, c *pubsub.Client, from pubsub.From, channels []string, show printer) error {
	for message, err := range c.Follow(ctx, from, channels...) {
		if gap, ok := errors.AsType[*pubsub.Gap](err); ok {
			err = show.gap(gap)
		} else if err == nil {
			err = show.message(&message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
