// Package historytest has the tests that every implementation of [history.Log] must pass.
// [Contract] runs on the real clock. [Clock] runs on a fake one, so only for a log that does
// not wait on a socket.
package historytest

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
)

// Open returns an empty log for one test, and closes it when the test ends.
type Open func(t testing.TB, options history.Options) history.Log

// Two owners.
var (
	ann = netip.MustParseAddr("192.0.2.1")
	bob = netip.MustParseAddr("192.0.2.2")
)

var hi = []byte(`{"message":"hi"}`)

const everything = math.MaxInt // a limit that no page reaches

// add posts n times and returns the cursor after the last post.
func add(t require.TestingT, log history.Log, channel string, n int) (last history.Cursor) {
	for range n {
		last = post(t, log, history.Post{Channel: channel, Object: hi, By: ann}).Cursor
	}
	return last
}

func post(t require.TestingT, log history.Log, post history.Post) history.Receipt {
	receipt, err := log.Append(context.Background(), post)
	require.NoError(t, err)
	return receipt
}

// begin posts to a channel, and returns the error if the post is refused.
func begin(log history.Log, channel string, by history.Owner) error {
	_, err := log.Append(context.Background(), history.Post{Channel: channel, Object: []byte(`{}`), By: by})
	return err
}

func read(t require.TestingT, log history.Log, channel string, since history.Since, limit int) *history.Page {
	page, err := log.Read(context.Background(), history.Query{Channel: channel, Since: since, Limit: limit, Fresh: true})
	require.NoError(t, err)
	return page
}

func channels(t require.TestingT, log history.Log) []string {
	names, err := log.Channels(context.Background())
	require.NoError(t, err)
	n, err := log.Len(context.Background())
	require.NoError(t, err)
	require.Len(t, names, n)
	return names
}

// ids returns the ids of a page as text: "3 4 5".
func ids(page *history.Page) string {
	var all []string
	for _, m := range page.Messages {
		all = append(all, fmt.Sprint(m.ID))
	}
	return strings.Join(all, " ")
}
