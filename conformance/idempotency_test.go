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
	first := base.post(t, "/pub/"+channel, form("message", "once"), key)
	again := base.post(t, "/pub/"+channel, form("message", "once"), key)
	require.Equal(t, 200, first.status)
	assert.Equal(t, first.status, again.status)
	assert.JSONEq(t, first.body, again.body)
	base.post(t, "/pub/"+channel, form("message", "other"), "Idempotency-Key: "+fresh())
	base.post(t, "/pub/"+channel, form("message", "none"))
	base.post(t, "/pub/"+channel, form("message", "none"))
	assert.Equal(t, []any{"once", "other", "none", "none"}, base.read(t, channel, "since=all&timeout=0").texts())
}

func TestIdempotencyKeyAtTheSameTime(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	posts := make([]*conn, 10)
	for i := range posts {
		posts[i] = base.dial(t)
		posts[i].send(t, "POST", "/pub/"+channel, "Idempotency-Key: "+channel, "Content-Type: "+urlencoded, "Content-Length: 12")
	}
	for _, c := range posts {
		c.write(t, "message=once")
	}
	for _, c := range posts {
		var r receipt
		c.receive(t, "POST").into(t, &r)
		assert.Equal(t, int64(1), r.ID)
	}
	assert.Equal(t, []any{"once"}, base.read(t, channel, "since=all&timeout=0").texts())
}

func TestIdempotencyKeyOfARefusedPostIsFree(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	key := "Idempotency-Key: " + channel
	base.post(t, "/pub/"+channel, form("nick", "ann"), key).requireRefused(t, 400)
	var r receipt
	base.post(t, "/pub/"+channel, form("message", "now with a text"), key).into(t, &r)
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
		c.send(t, "POST", "/pub/"+channel, key, "Content-Type: "+b.contentType, fmt.Sprint("Content-Length: ", len(b.text)))
		c.write(t, b.text)
		c.receive(t, "POST").into(t, &r)
		return r
	}
	ann, bob := base.dial(t), base.dial(t)
	assert.Equal(t, int64(1), post(ann, "one").ID)
	assert.Equal(t, int64(2), post(ann, "two").ID, "from the same client")
	assert.Equal(t, int64(3), post(bob, "three").ID, "from another")
	for id, text := range []string{"one", "two", "three"} {
		assert.Equal(t, int64(id+1), post(ann, text).ID)
		assert.Equal(t, int64(id+1), post(bob, text).ID)
	}
	assert.Equal(t, []any{"one", "two", "three"}, base.read(t, channel, "since=all&timeout=0").texts())
}
