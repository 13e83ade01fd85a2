package torture

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// ErrUsage is the error for arguments that make no sense. The program ends with status 2.
var ErrUsage = errors.New("see pubsub torture -help")

// ErrFaults is the error for a server that did something wrong, or answered nothing.
var ErrFaults = errors.New("the server did not keep what it promises")

// Main does what the arguments after the word torture say. It returns when all is posted
// and read, and the verdict is written to stdout. When ctx ends it stops posting, and
// goes on to the verdict. Each second it writes a line to stderr.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		writeHelp(stdout)
		return nil
	case err != nil:
		return fmt.Errorf("%w; %w", err, ErrUsage)
	}
	t := newTorture(o)
	t.run(ctx, stderr)
	return t.report(stdout)
}
