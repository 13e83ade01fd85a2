package access

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"pubsub/server/web"
)

// SlowRestart is called before an answer that tells of a restart. If its address had too many
// of them, SlowRestart calls drop and waits: a waiting request must hold no page. waited
// tells whether it has waited. If the client hangs up meanwhile, it panics with
// http.ErrAbortHandler.
//
// After a restart a client gets one such answer. If two processes with separate logs answer
// it in turn, it gets them without end, and would ask in a tight loop without the delay.
func (c *Control) SlowRestart(r *http.Request, log *slog.Logger, drop func()) (waited bool) {
	wait, ok := c.restarts.Take(c.Source.Of(r))
	if ok {
		return false
	}
	drop()
	if c.restartWarning.due() {
		log.Warn("readers come again and again with cursors of another process: if several answer for one address, " +
			"they lose each other's messages. Run one process, or one log for all")
	}
	web.Pause(r, time.Duration(wait)*time.Second)
	return true
}

// oncePerMinute limits how often a warning is logged. The zero value is due. It is safe for
// concurrent use.
type oncePerMinute struct{ at atomic.Int64 } // when due was last true, in Unix seconds

// due returns true at most once a minute.
func (o *oncePerMinute) due() bool {
	now, last := time.Now().Unix(), o.at.Load()
	return now-last >= 60 && o.at.CompareAndSwap(last, now)
}
