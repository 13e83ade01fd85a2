package access

import "net/http"

// Right is what somebody may do on a channel.
type Right string

// The rights.
const (
	Publish   Right = "publish"
	Subscribe Right = "subscribe" // and read what was said
)

// Authorize tells whether whoever sent a request has a right on a channel. Every way in
// asks it for each channel, before anything is done there. Everybody may everything.
func (c *Control) Authorize(_ *http.Request, _ Right, _ string) error { return nil }
