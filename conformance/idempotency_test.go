package conformance_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIdempotencyKey(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	key := "Idempotency-Key: " + fresh()
	first := base.Post(t, "/pub/"+channel, form("message", "once"), key)
	again := base.Post(t, "/pub/"+channel, form("message", "once"), key)
	require.Equal(t, 200, first.Status)
	assert.Equal(t, first.Status, again.Status)
	assert.JSONEq(t, first.Body, again.Body)
	base.Post(t, "/pub/"+channel, form("message", "other"), "Idempotency-Key: "+fresh())
	base.Post(t, "/pub/"+channel, form("message", "none"))
	base.Post(t, "/pub/"+channel, form("message", "none"))
	assert.Equal(t, []any{"once", "other", "none", "none"}, read(t, base, channel, "since=all&timeout=0").texts())
}

func TestIdempotencyKeyAtTheSameTime(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	posts := make([]*conn, 10)
	for i := range posts {
		posts[i] = base.Dial(t)
		posts[i].Send(t, "POST", "/pub/"+channel, "Idempotency-Key: "+channel, "Content-Type: "+urlencoded, "Content-Length: 12")
	}
	for _, c := range posts {
		c.SendText(t, "message=once")
	}
	for _, c := range posts {
		var r receipt
		c.Receive(t, "POST").Into(t, &r)
		assert.Equal(t, int64(1), r.ID)
	}
	assert.Equal(t, []any{"once"}, read(t, base, channel, "since=all&timeout=0").texts())
}

func TestIdempotencyKeyOfARefusedPostIsFree(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	key := "Idempotency-Key: " + channel
	base.Post(t, "/pub/"+channel, form("nick", "ann"), key).RequireRefused(t, 400)
	var r receipt
	base.Post(t, "/pub/"+channel, form("message", "now with a text"), key).Into(t, &r)
	assert.Equal(t, int64(1), r.ID)
}

// Nobody's message is taken for another's because both were called the same.
func TestIdempotencyKeyIsOfOneContent(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel, key := fresh(), "Idempotency-Key: 1"
	post := func(c *conn, text string) (r receipt) {
		b := form("message", text)
		c.Send(t, "POST", "/pub/"+channel, key, "Content-Type: "+b.Type, fmt.Sprint("Content-Length: ", len(b.Text)))
		c.SendText(t, b.Text)
		c.Receive(t, "POST").Into(t, &r)
		return r
	}
	ann, bob := base.Dial(t), base.Dial(t)
	assert.Equal(t, int64(1), post(ann, "one").ID)
	assert.Equal(t, int64(2), post(ann, "two").ID, "from the same client")
	assert.Equal(t, int64(3), post(bob, "three").ID, "from another")
	for id, text := range []string{"one", "two", "three"} {
		assert.Equal(t, int64(id+1), post(ann, text).ID)
		assert.Equal(t, int64(id+1), post(bob, text).ID)
	}
	assert.Equal(t, []any{"one", "two", "three"}, read(t, base, channel, "since=all&timeout=0").texts())
}
