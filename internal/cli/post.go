package cli

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"

	pubsub "pubsub/clients/go"
)

const postHelp = `pubsub post sends each line of its standard input to a channel, in order and
once each, and ends when all are published. Lost connections and busy servers
make it wait and try again. Empty lines are left out. A line that is too long
for the server is told, and the next ones are sent.

Usage: pubsub post [flags] URL CHANNEL

  echo "The backup is done." | pubsub post -nick cron http://127.0.0.1:8080 chat

Where the server asks for a token, it is taken from PUBSUB_TOKEN.

`

// Post does what the arguments after the word post say: it publishes the lines of stdin, and
// tells stderr of lines that are too long. It returns when there are no more, when the server refuses
// one for another reason, or when ctx ends, which is an error only if nobody knows whether the last line was
// published.
func Post(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("post", flag.ContinueOnError)
	nick := set.String("nick", "", "the `name` of who posts")
	server, channels, err := parse(set, args, postHelp, stdout)
	switch {
	case err != nil:
		return helped(err)
	case len(channels) > 1:
		return usage(set, errors.New("post to one channel (flags stand before the URL)"))
	}
	return post(ctx, clientOf(server), channels[0], *nick, stdin, stderr)
}

func post(ctx context.Context, c *pubsub.Client, channel, nick string, stdin io.Reader, stderr io.Writer) error {
	n, refused := 0, 0
	for line := range linesOf(ctx, stdin) {
		if line.err != nil {
			return line.err
		}
		n++
		message := map[string]string{"message": line.text}
		if nick != "" {
			message["nick"] = nick
		}
		if line.text == "" {
			continue
		}
		_, err := c.Publish(ctx, channel, message)
		switch {
		case err == nil:
		case isTooLong(err):
			refused++
			fmt.Fprintf(stderr, "Line %d is not published: %s\n", n, clean(err.Error()))
		default:
			return unlessStopped(ctx, err)
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d lines are not published", refused, n)
	}
	return nil
}

// isTooLong tells whether the server refuses a message for its size. It may take the next one.
func isTooLong(err error) bool {
	refused, ok := errors.AsType[*pubsub.Error](err)
	return ok && refused.Status == http.StatusRequestEntityTooLarge
}

// unlessStopped lets an interrupted post be an error only if it may be published.
func unlessStopped(ctx context.Context, err error) error {
	if errors.Is(err, pubsub.ErrUnknown) {
		return err
	}
	return well(ctx, err)
}

// line is one of standard input, or the error that ended it.
type line struct {
	text string
	err  error
}

// linesOf reads lines until they end or ctx does. A read that waits cannot be ended, so it
// is left behind.
func linesOf(ctx context.Context, from io.Reader) func(func(line) bool) {
	return func(yield func(line) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		read := make(chan line)
		go readLines(ctx, from, read)
		for {
			select {
			case next, more := <-read:
				if !more || !yield(next) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func readLines(ctx context.Context, from io.Reader, to chan<- line) {
	defer close(to)
	r := bufio.NewReader(from)
	for {
		text, err := r.ReadString('\n')
		if text != "" && !send(ctx, to, line{text: strings.TrimRight(text, "\r\n")}) {
			return
		}
		if err != nil {
			if err != io.EOF {
				send(ctx, to, line{err: err})
			}
			return
		}
	}
}

func send(ctx context.Context, to chan<- line, next line) bool {
	select {
	case to <- next:
		return true
	case <-ctx.Done():
		return false
	}
}
