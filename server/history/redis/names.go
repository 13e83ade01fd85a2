package redis

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"pubsub/server/history"
)

// Prefix begins all names in Redis, unless another is chosen.
const Prefix = "pubsub:"

// names are the names in Redis, made of their prefix. The names of a single channel's keys have
// it in braces.
type names string

func (n names) epochs() string                { return string(n) + "epochs" }
func (n names) leases() string                { return string(n) + "leases" }
func (n names) ticket(ticket string) string   { return string(n) + "ticket:" + ticket }
func (n names) log(channel string) string     { return n.of(channel, "log") }
func (n names) meta(channel string) string    { return n.of(channel, "meta") }
func (n names) here(channel string) string    { return n.of(channel, "here") }
func (n names) counted(channel string) string { return n.of(channel, "counted") }
func (n names) typing(channel string) string  { return n.of(channel, "typing") }

// receipt returns the key of what was said of a post with an idempotency key.
func (n names) receipt(post history.Post) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q ", post.Key)
	sum.Write(post.Object)
	return n.of(post.Channel, "key:"+hex.EncodeToString(sum.Sum(nil)[:16]))
}

func (n names) of(channel, what string) string { return string(n) + "{" + channel + "}:" + what }

// bell returns the Pub/Sub channel on which the log rings. All databases of a Redis share their
// Pub/Sub, so the database is part of the name.
func (l *Log) bell() string { return string(l.names) + "bell:" + strconv.Itoa(l.target.database) }
