package attack

import (
	"context"
	"strings"
	"time"
)

// logs asks for paths that are not there, as long as a header may be.
func logs(ctx context.Context, s *scene) error {
	begin, already := time.Now(), s.stderr.bytes.Load()
	each(2, func(int) {
		c := s.caller(attacker)
		defer c.hangUp()
		request := s.get(longPath)
		for ctx.Err() == nil {
			c.ask(ctx, request)
		}
	})
	if s.stderr.fate == read {
		rate := float64(s.stderr.bytes.Load()-already) / time.Since(begin).Seconds()
		s.note("the server logged %s a second", size(rate))
	}
	return nil
}

var longPath = "/" + strings.Repeat("a", 15_000)

// logsGone takes the reader of the log away in the middle.
func logsGone(ctx context.Context, s *scene) error {
	gone := time.AfterFunc(s.For/2, s.stderr.Close)
	defer gone.Stop()
	return logs(ctx, s)
}
