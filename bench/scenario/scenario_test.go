package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/bench/dialect"
	"pubsub/bench/load"
	"pubsub/bench/scenario"
	"pubsub/bench/target"
)

func TestWhoTakesPart(t *testing.T) {
	plain, err := dialect.Named("original")
	require.NoError(t, err)
	withoutPlain, weak := target.Spec{Dialect: plain}, target.Spec{Dialect: plain, Plain: plain, MaxPolls: 200}

	s := scenario.Default("fanout")
	mine, takesPart := s.For(withoutPlain)
	require.True(t, takesPart)
	require.Equal(t, s, mine)
	mine, _ = s.For(weak)
	require.Equal(t, 200, mine.Polls)

	s.Plain = true
	_, takesPart = s.For(withoutPlain)
	require.False(t, takesPart)

	mine, takesPart = scenario.Rates()[0].For(withoutPlain)
	require.True(t, takesPart, "the curve of losses has everybody")
	require.False(t, mine.Plain)
}

func TestNames(t *testing.T) {
	require.Equal(t, "fanout, 10,000 polls", scenario.Default("fanout").Numbered(10_000).Name())
	require.Equal(t, "flood, 100 polls, 1,000 messages/s", scenario.Default("flood").Name())
	require.Equal(t, "churn, 1,050,000 hang-ups", scenario.Default("churn").Numbered(1_050_000).Name())
}

func TestResult(t *testing.T) {
	r := scenario.Result{Scenario: scenario.Default("flood"), CPU: time.Second, Deliveries: 100, Refused: 1}
	require.Equal(t, 10*time.Millisecond, r.PerDelivery())
	require.Zero(t, r.PerHangup(), "there was none")
	r.Outcome = load.Outcome{Got: 250, Lost: 50} // of 300, and 100 clients lack the refused one
	require.InDelta(t, 0.375, r.LostShare(), 1e-9)
}

func TestValidate(t *testing.T) {
	for _, kind := range []string{"fanout", "flood", "churn", "idle"} {
		require.NoError(t, scenario.Default(kind).Validate())
	}
	require.Error(t, scenario.Default("bounce").Validate())
	require.Error(t, scenario.Default("idle").Numbered(-1).Validate())
}
