package poll

import (
	"net/http"
	"sync/atomic"
	"time"

	"pubsub/server/web"
)

// slowDown holds an answer back that tells of a restart if its address was told so
// often. A client is told once, unless two processes with a log of their own answer it in
// turn: then it would ask without end.
func (p *Polls) slowDown(r *http.Request) {
	wait, ok := p.access.AdmitRestart(r)
	if ok {
		return
	}
	if p.strangers.due() {
		p.responder.Log.Warn("readers come again and again with cursors of another process: if several answer for one address, " +
			"they lose each other's messages. Run one process, or one log for all")
	}
	web.Pause(r, time.Duration(wait)*time.Second)
}

// occasion is when something was told last. Its zero value is never.
type occasion struct{ at atomic.Int64 }

// due tells whether a minute has passed since it was true.
func (o *occasion) due() bool {
	now, last := time.Now().Unix(), o.at.Load()
	return now-last >= 60 && o.at.CompareAndSwap(last, now)
}
