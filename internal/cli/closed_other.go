//go:build !unix

package cli

import (
	"context"
	"io"
)

// untilClosed leaves it to the next message to find out that nobody reads w.
func untilClosed(ctx context.Context, _ io.Writer) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
