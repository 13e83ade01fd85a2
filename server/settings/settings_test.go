package settings_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/settings"
)

func TestSettingsBeyondTheirBoundsAreRefused(t *testing.T) {
	for setting, sentence := range map[string]string{
		"POLL_TIMEOUT=61s":                         "must be a duration from 1s to 1m, such as 22s, or 0 to wait as long as a poll may",
		"POLL_TIMEOUT=1ms":                         "must be a duration from 1s to 1m",
		"HEARTBEAT=1ns":                            "must be a duration from 10ms to 1m, such as 20s, or 0 for none",
		"DRAIN_TIMEOUT=90h":                        "must be a duration from 10ms to 1h, such as 5s, or 0 for no limit",
		"HISTORY_AGE=1ns":                          "must be a duration from 10ms to 8760h",
		"HISTORY_BYTES=1":                          "must be a whole number from 1048576 to",
		"MAX_MESSAGE_BYTES=4611686018427387904":    "must be a whole number from 1 to 16777216, such as 16384, or 0 for no limit",
		"MAX_CHANNELS=-1":                          "must be a whole number from 1 to 10000000",
		"MAX_CONNECTIONS_PER_ADDRESS=99999999":     "must be a whole number from 1 to 10000000",
		"MAX_POLLS=99999999999999999999999":        "must be a whole number from 1 to 10000000",
		"PUBLISH_RATE=0.0001":                      "must be a number from 0.001 to 1000000, such as 20, or 0 for no limit",
		"READ_RATE=NaN":                            "must be a number from 0.001 to 1000000",
		"TRUSTED_HOPS=true":                        "must be a number of proxies, such as 1, from 0 to 16",
		"TRUSTED_HOPS=17":                          "must be a number of proxies, such as 1, from 0 to 16",
		"LIST_CHANNELS=perhaps":                    "must be true or false",
		"CROWD=true":                               "must be on or off",
		"ALLOWED_ORIGINS=https://*.example.org":    "only * alone stands for others",
		"ALLOWED_HOSTS=https://example.org":        "must be a host, such as chat.example.org",
		"ALLOWED_HOSTS=*.example.org":              "must be a host, such as chat.example.org",
		"ADDR=unix:":                               "unix:/run/pubsub.sock",
		"ADMIN_ADDR=unix:/run/pubsub-metrics.sock": "must be host:port",
	} {
		_, err := settings.Load(nil, []string{"PUBSUB_" + setting})
		require.ErrorContains(t, err, sentence, setting)
		require.NotContains(t, err.Error(), "\n", "one sentence is enough")
	}
}

func TestNoLimitIsZero(t *testing.T) {
	c, err := settings.Load([]string{"-max-polls=0", "-history-bytes=0", "-publish-rate=0", "-poll-timeout=0", "-max-message-bytes", "0"}, nil)
	require.NoError(t, err)
	require.Zero(t, c.MaxPolls+c.HistoryBytes+c.MaxMessageBytes+int(c.PublishRate)+int(c.PollTimeout))
}

// Requests are counted with the polls that an address may have: each that was answered
// comes again.
func TestRequestRateGoesWithThePolls(t *testing.T) {
	for _, each := range []struct {
		args []string
		rate float64
	}{
		{[]string{"-max-polls-per-address=40"}, 200},
		{[]string{"-max-polls-per-address=40", "-request-rate=7"}, 7},
		{[]string{"-max-polls-per-address=40", "-request-rate=0"}, 0},
		{[]string{"-max-polls-per-address=0"}, 0},
	} {
		c, err := settings.Load(each.args, nil)
		require.NoError(t, err)
		require.Equal(t, each.rate, c.RequestRate, each.args)
	}
}

// What fits a PaaS is what else is set wins over, in whatever order.
func TestPaaSSetsDefaults(t *testing.T) {
	for _, each := range []struct {
		args, env []string
		hops      int
	}{
		{nil, nil, 0},
		{[]string{"-paas"}, nil, 1},
		{nil, []string{"PUBSUB_PAAS=true"}, 1},
		{[]string{"-paas"}, []string{"PUBSUB_TRUSTED_HOPS=2"}, 2},
		{[]string{"-trusted-hops=0", "-paas"}, []string{"PUBSUB_TRUSTED_HOPS=2"}, 0},
		{[]string{"-paas=false"}, []string{"PUBSUB_PAAS=true"}, 0},
	} {
		c, err := settings.Load(each.args, each.env)
		require.NoError(t, err)
		require.Equal(t, each.hops, c.TrustedHops, "%v", each)
	}
}

func TestNewSettings(t *testing.T) {
	c, err := settings.Load([]string{"-list-channels=false", "-allowed-hosts", "chat.example.org, [::1]:8080"}, nil)
	require.NoError(t, err)
	require.False(t, c.ListChannels)
	require.Equal(t, []string{"chat.example.org", "[::1]:8080"}, c.AllowedHosts)
	require.GreaterOrEqual(t, c.HistoryBytes, 32<<20)
	require.LessOrEqual(t, c.HistoryBytes, 1<<30)

	c, err = settings.Load([]string{"-crowd=on"}, []string{"PUBSUB_CROWD=off"})
	require.NoError(t, err)
	require.True(t, c.Crowd)
	c, err = settings.Load(nil, []string{"PUBSUB_CROWD=off"})
	require.NoError(t, err)
	require.False(t, c.Crowd)

	c, err = settings.Load(nil, []string{"GOMEMLIMIT=1GiB"})
	require.NoError(t, err)
	require.Zero(t, c.MemoryLimit, "Go's own word counts")
}

// warnings are those of a configuration, but for what this machine is short of.
func warnings(t *testing.T, env ...string) string {
	c, err := settings.Load(nil, env)
	require.NoError(t, err)
	return strings.Join(c.Warnings, "\n")
}

func TestNamesThatAreNoSettingAreWarnedOf(t *testing.T) {
	said := warnings(t, "PUBSUB_POLL_TIMOUT=5s", "PUBSUB_MAX_POLL=5", "PUBSUB_PORT=tcp://10.0.0.1:80", "PUBSUB_SERVICE_HOST=10.0.0.1", "HOME=/", "PUBSUB_HEARTBEAT=5s")
	require.Contains(t, said, "PUBSUB_POLL_TIMOUT is no setting and changes nothing; perhaps PUBSUB_POLL_TIMEOUT is meant")
	require.Contains(t, said, "perhaps PUBSUB_MAX_POLLS is meant")
	require.Contains(t, said, "PUBSUB_PORT is no setting")
	require.Contains(t, said, "PUBSUB_SERVICE_HOST is no setting and changes nothing; see pubsub -help")
	require.NotContains(t, said, "10.0.0.1", "it may be a secret")
	require.NotContains(t, said, "HOME")
	require.NotContains(t, said, "HEARTBEAT")
}

func TestSocketWithoutTrustedHopsIsWarnedOf(t *testing.T) {
	require.Contains(t, warnings(t, "PUBSUB_ADDR=unix:/run/pubsub.sock"), "count as one address")
	require.NotContains(t, warnings(t, "PUBSUB_ADDR=unix:/run/pubsub.sock", "PUBSUB_TRUSTED_HOPS=1"), "count as one address")
}

func TestHelpTellsEverySetting(t *testing.T) {
	var help strings.Builder
	settings.WriteHelp(&help)
	for _, name := range []string{"allowed-hosts", "list-channels", "paas", "history-bytes", "read-rate"} {
		require.Contains(t, help.String(), "  -"+name+"\n")
	}
	for line := range strings.Lines(help.String()) {
		require.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 80, line)
	}
	require.Equal(t, 22*time.Second, settings.Default().PollTimeout)
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		args []string
		word string
		rest int
	}{
		{nil, "serve", 0},
		{[]string{"-addr=:1"}, "serve", 1},
		{[]string{"serve", "-addr=:1"}, "serve", 1},
		{[]string{"version"}, "version", 0},
		{[]string{"-help"}, "serve", 1},
	} {
		word, rest, err := settings.SplitWord(c.args)
		require.NoError(t, err)
		require.Equal(t, c.word, word)
		require.Len(t, rest, c.rest)
	}
	_, _, err := settings.SplitWord([]string{"sevre"})
	require.ErrorContains(t, err, `"sevre" is no word of pubsub, which are serve, version, help`)
}
