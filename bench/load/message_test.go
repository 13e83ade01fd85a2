package load_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/bench/load"
)

func TestStampsAreFoundInAnyBody(t *testing.T) {
	first := load.Stamp{Message: 0, Intended: 5 * time.Second}
	second := load.Stamp{Message: 41, Intended: 123456789}
	body := append([]byte(`{"messages":[{"message":"`), load.AppendText(nil, "run", first, 64)...)
	body = append(body, `"},{"message":"tick-other-3-4-"},`...)
	body = append(body, load.AppendText(nil, "run", second, 0)...)
	body = append(body, `tick-run-`...) // cut off

	var got []load.Stamp
	load.EachStamp(body, []byte("tick-run-"), func(s load.Stamp) { got = append(got, s) })
	require.Equal(t, []load.Stamp{first, second}, got)
}

func TestTextHasItsSize(t *testing.T) {
	require.Len(t, load.AppendText(nil, "run", load.Stamp{Message: 1}, 64), 64)
	require.Regexp(t, `^[a-z0-9-]+$`, string(load.AppendText(nil, "run", load.Stamp{Message: 1}, 64)), "safe in JSON and forms")
}
