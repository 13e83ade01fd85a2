package server

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Config is every setting. Each is a flag and an environment variable of the
// same name, -poll-timeout and PUBSUB_POLL_TIMEOUT; the flag wins. A limit of 0
// is no limit. What each is for stands with its flag.
type Config struct {
	Addr         string
	PollTimeout  time.Duration
	Heartbeat    time.Duration
	DrainTimeout time.Duration

	HistoryMessages int
	HistoryAge      time.Duration
	HistoryBytes    int // over all channels; by default a quarter of the memory
	MaxMessageBytes int

	MaxChannels           int
	MaxChannelsPerAddress int

	MaxPolls           int
	MaxPollsPerChannel int
	MaxPollsPerClient  int
	MaxPollsPerAddress int
	PublishRate        float64 // messages a second
	PublishBurst       int

	MaxConnectionsPerAddress int
	RequestRate              float64 // requests a second that are not held back
	ReadRate                 float64 // dear reads a second

	AllowedOrigins []string
	AllowedHosts   []string
	ListChannels   bool
	TrustedHops    int
	PaaS           bool // has set the defaults that fit one

	AdminAddr string
	LogLevel  slog.Level
	LogFormat string // text or json

	ShowVersion bool // only the flag -version

	// MemoryLimit is how many bytes the process should take, nine tenths of what
	// its cgroup lets it have; 0 if there is no such limit or GOMEMLIMIT is set.
	MemoryLimit int64
	// Warnings are sentences about settings that are probably not what was meant.
	Warnings []string
}

// DefaultConfig is what a server runs with when nothing is set.
func DefaultConfig() Config {
	return Config{
		Addr:         "127.0.0.1:8080",
		PollTimeout:  22 * time.Second,
		Heartbeat:    20 * time.Second,
		DrainTimeout: 5 * time.Second,

		HistoryMessages: 1000,
		HistoryAge:      5 * time.Minute,
		HistoryBytes:    historyBytes(),
		MaxMessageBytes: 16 << 10,

		MaxChannels:           10_000,
		MaxChannelsPerAddress: 1000,

		MaxPolls:           100_000,
		MaxPollsPerChannel: 10_000,
		MaxPollsPerClient:  6, // as many connections as a browser has to a host
		MaxPollsPerAddress: 1000,
		PublishRate:        20,
		PublishBurst:       100,

		MaxConnectionsPerAddress: 1200,
		RequestRate:              5000,
		ReadRate:                 20,

		ListChannels: true,

		LogFormat: "text",
	}
}

// setting is one flag with what its values look like.
type setting struct {
	name   string
	value  value
	wanted string // if the value does not know it by itself
	usage  string
}

// Bounds of settings, beyond which a value is a slip of the finger.
const (
	most        = 10_000_000
	mostRate    = 1_000_000
	leastRate   = 0.001
	maxHops     = 16
	leastLog    = 1 << 20
	mostLog     = 1 << 40
	mostMessage = 16 << 20
)

// settings is every flag, in the order of the help.
func (c *Config) settings() []setting {
	const hour, year = time.Hour, 365 * 24 * time.Hour
	return []setting{
		{"addr", text(&c.Addr), "", "where to listen, host:port or unix:/path/of/a.sock; without a host, on all interfaces. PORT is the same for a port alone, and counts where this is not set"},
		{"poll-timeout", duration(&c.PollTimeout, time.Second, maxTimeout, "to wait as long as a poll may"), "", "how long a poll waits that names no timeout, within 10 %. Routers cut what is silent for 30s"},
		{"heartbeat", duration(&c.Heartbeat, 10*time.Millisecond, time.Minute, "for none"), "", "how often a silent /sub without a cursor is sent a newline, for the same routers"},
		{"drain-timeout", duration(&c.DrainTimeout, 10*time.Millisecond, hour, noLimit), "", "how long a stop waits for requests to end. PaaSes kill after 5s to 30s"},

		{"history-messages", limit(&c.HistoryMessages, 1, most), "", "how many messages of a channel are kept"},
		{"history-age", duration(&c.HistoryAge, 10*time.Millisecond, year, noLimit), "", "how long a message is kept"},
		{"history-bytes", limit(&c.HistoryBytes, leastLog, mostLog), "", "how many bytes of messages are kept over all channels, a quarter of the memory if not set. What leaves first is the oldest of the address that has most"},
		{"max-message-bytes", limit(&c.MaxMessageBytes, 1, mostMessage), "", "how long a posted message may be, as JSON"},
		{"max-channels", limit(&c.MaxChannels, 1, most), "", "how many channels may have messages at a time"},
		{"max-channels-per-address", limit(&c.MaxChannelsPerAddress, 1, most), "", "how many channels with messages one address may have begun"},

		{"max-polls", limit(&c.MaxPolls, 1, most), "", "how many polls may be pending in all; fewer if not set and the process may not open so many files"},
		{"max-polls-per-channel", limit(&c.MaxPollsPerChannel, 1, most), "", "how many polls may be pending on one channel"},
		{"max-polls-per-client", limit(&c.MaxPollsPerClient, 1, most), "", "how many polls may be pending with one X-Client-ID; a newer one ends the oldest"},
		{"max-polls-per-address", limit(&c.MaxPollsPerAddress, 1, most), "", "how many polls may be pending from one address"},
		{"publish-rate", decimal(&c.PublishRate, leastRate, mostRate), "", "how many messages a second one address may post"},
		{"publish-burst", limit(&c.PublishBurst, 1, most), "", "how many messages one address may post at once after a rest"},
		{"max-connections-per-address", limit(&c.MaxConnectionsPerAddress, 1, most), "", "how many connections one address may have open; at most half of the files that the process may open if not set. No limit with trusted hops or on a socket, where all come from the proxy"},
		{"request-rate", decimal(&c.RequestRate, leastRate, mostRate), "", "how many requests a second of one address are answered at once; those beyond wait. If not set, five for each poll that one address may have"},
		{"read-rate", decimal(&c.ReadRate, leastRate, mostRate), "", "how many reads a second one address may make that cost much and do not wait, such as a long list of channels"},

		{"allowed-origins", list(&c.AllowedOrigins), "", "whose pages may use the server besides its own, with commas between them; * is everybody's"},
		{"allowed-hosts", list(&c.AllowedHosts), "", "the names under which the server may be asked for, with commas between them; any if not set. A page elsewhere whose name is turned to this server's address gets nothing then"},
		{"list-channels", boolean(&c.ListChannels), "", "whether everybody may list the channels in use"},
		{"trusted-hops", count(&c.TrustedHops, maxHops), "a number of proxies, such as 1, from 0 to 16", "how many proxies stand in front, whose X-Forwarded-For entries are believed"},
		{"paas", boolean(&c.PaaS), "", "the defaults that fit a PaaS, which is one trusted hop. Whatever else is set wins"},

		{"admin-addr", text(&c.AdminAddr), "", "where to serve pprof and, instead of on the main address, the metrics"},
		{"log-level", level(&c.LogLevel), "debug, info, warn or error", "the least that is logged; debug has a line for each request"},
		{"log-format", text(&c.LogFormat), "", "how log lines are written, to stderr: text or json"},
	}
}

// env is the environment variable of a setting.
func (s setting) env() string {
	return "PUBSUB_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// WriteHelp writes what -help shows.
func WriteHelp(w io.Writer) {
	fmt.Fprint(w, `pubsub is a chat and publish/subscribe server over HTTP long polling.

Usage: pubsub [flags]

Each flag is also an environment variable: -poll-timeout is PUBSUB_POLL_TIMEOUT.
The flag wins. A limit of 0 is no limit.

`)
	c := DefaultConfig()
	for _, s := range c.settings() {
		usage := s.usage + "."
		if value := s.value.get(); value != "" {
			usage += " Default " + value + "."
		}
		fmt.Fprintf(w, "  -%s\n        %s\n", s.name, wrap(usage))
	}
	fmt.Fprint(w, "  -version\n        Print the version and exit.\n")
}

// wrap makes a sentence of a usage, in lines that fit a terminal.
func wrap(usage string) string {
	var b strings.Builder
	width := 0
	for word := range strings.FieldsSeq(upperFirst(usage)) {
		if width > 0 && width+len(word) > 62 {
			b.WriteString("\n        ")
			width = 0
		} else if width > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		width += len(word) + 1
	}
	return b.String()
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
