package server

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
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
	HistoryBytes    int // over all channels
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
	ReadRate                 float64 // dear reads a second

	AllowedOrigins []string
	AllowedHosts   []string
	ListChannels   bool
	TrustedHops    int

	AdminAddr string
	LogLevel  slog.Level
	LogFormat string // text or json

	ShowVersion bool // only the flag -version
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
		HistoryBytes:    256 << 20,
		MaxMessageBytes: 16 << 10,

		MaxChannels:           10_000,
		MaxChannelsPerAddress: 1000,

		MaxPolls:           100_000,
		MaxPollsPerChannel: 10_000,
		MaxPollsPerClient:  6, // as many connections as a browser has to a host
		MaxPollsPerAddress: 1000,
		PublishRate:        20,
		PublishBurst:       100,

		MaxConnectionsPerAddress: 2000,
		ReadRate:                 20,

		ListChannels: true,

		LogFormat: "text",
	}
}

// setting is one flag with what its values look like.
type setting struct {
	name   string
	value  flag.Value
	wanted string
	usage  string
}

// settings is every flag, in the order of the help.
func (c *Config) settings() []setting {
	return []setting{
		{"addr", text(&c.Addr), "host:port, such as 127.0.0.1:8080", "where to listen; without a host, on all interfaces. PORT is the same for a port alone, and counts where this is not set"},
		{"poll-timeout", duration(&c.PollTimeout), "", "how long a poll waits that names no timeout, within 10 %. Routers cut what is silent for 30s"},
		{"heartbeat", duration(&c.Heartbeat), "", "how often a silent /sub without a cursor is sent a newline, for the same routers"},
		{"drain-timeout", duration(&c.DrainTimeout), "", "how long a stop waits for requests to end. PaaSes kill after 5s to 30s"},

		{"history-messages", number(&c.HistoryMessages), "", "how many messages of a channel are kept"},
		{"history-age", duration(&c.HistoryAge), "", "how long a message is kept"},
		{"history-bytes", number(&c.HistoryBytes), "", "how many bytes of messages are kept over all channels. What leaves first is the oldest of the address that has most"},
		{"max-message-bytes", number(&c.MaxMessageBytes), "", "how long a posted message may be, as JSON"},
		{"max-channels", number(&c.MaxChannels), "", "how many channels may have messages at a time"},
		{"max-channels-per-address", number(&c.MaxChannelsPerAddress), "", "how many channels with messages one address may have begun"},

		{"max-polls", number(&c.MaxPolls), "", "how many polls may be pending in all"},
		{"max-polls-per-channel", number(&c.MaxPollsPerChannel), "", "how many polls may be pending on one channel"},
		{"max-polls-per-client", number(&c.MaxPollsPerClient), "", "how many polls may be pending with one X-Client-ID; a newer one ends the oldest"},
		{"max-polls-per-address", number(&c.MaxPollsPerAddress), "", "how many polls may be pending from one address"},
		{"publish-rate", decimal(&c.PublishRate), "", "how many messages a second one address may post"},
		{"publish-burst", number(&c.PublishBurst), "", "how many messages one address may post at once after a rest"},
		{"max-connections-per-address", number(&c.MaxConnectionsPerAddress), "", "how many connections one address may have open"},
		{"read-rate", decimal(&c.ReadRate), "", "how many reads a second one address may make that cost much and do not wait, such as a long list of channels"},

		{"allowed-origins", list(&c.AllowedOrigins), "origins such as https://example.org, with commas between them", "whose pages may use the server besides its own; * is everybody's"},
		{"trusted-hops", number(&c.TrustedHops), "", "how many proxies stand in front, whose X-Forwarded-For entries are believed"},

		{"admin-addr", text(&c.AdminAddr), "host:port, such as 127.0.0.1:6060", "where to serve pprof and, instead of on the main address, the metrics"},
		{"log-level", level(&c.LogLevel), "debug, info, warn or error", "the least that is logged; debug has a line for each request"},
		{"log-format", text(&c.LogFormat), "text or json", "how log lines are written, to stderr"},
	}
}

// env is the environment variable of a setting.
func (s setting) env() string {
	return "PUBSUB_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// LoadConfig reads the settings. Its error tells all that is wrong at once,
// except that an unknown flag hides what comes after it. The error is
// flag.ErrHelp when help was asked for; see [WriteHelp].
func LoadConfig(args []string, getenv func(string) string) (Config, error) {
	c := DefaultConfig()
	var errs []error
	if port := getenv("PORT"); isPort(port) {
		c.Addr = ":" + port
	} else if port != "" {
		errs = append(errs, fmt.Errorf("PORT=%q must be a port number, such as 8080", port))
	}
	flags := flag.NewFlagSet("pubsub", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are told together
	flags.BoolVar(&c.ShowVersion, "version", false, "")
	for _, s := range c.settings() {
		set := func(how string) func(string) error {
			return func(value string) error {
				if err := s.value.Set(value); err != nil {
					errs = append(errs, fmt.Errorf(how+" must be %s", value, s.wantedOr(err)))
				}
				return nil
			}
		}
		if value := getenv(s.env()); value != "" {
			_ = set(s.env() + "=%q")(value)
		}
		flags.Func(s.name, "", set("-"+s.name+" %q"))
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return c, err
	case err != nil:
		errs = append(errs, fmt.Errorf("%w; see pubsub -help", err))
	case flags.NArg() > 0:
		errs = append(errs, fmt.Errorf("%q is not a flag; see pubsub -help", flags.Arg(0)))
	}
	errs = append(errs, c.validate()...)
	return c, errors.Join(errs...)
}

// wantedOr is what values look like; the value's own error knows it otherwise.
func (s setting) wantedOr(err error) string {
	if s.wanted != "" {
		return s.wanted
	}
	return err.Error()
}

// validate tells what is wrong with values that could be read.
func (c *Config) validate() (errs []error) {
	for name, addr := range map[string]string{"addr": c.Addr, "admin-addr": c.AdminAddr} {
		if _, port, err := net.SplitHostPort(addr); (err != nil || !isPort(port)) && (addr != "" || name == "addr") {
			errs = append(errs, fmt.Errorf("%s %q must be host:port, such as 127.0.0.1:8080", name, addr))
		}
	}
	for _, origin := range c.AllowedOrigins {
		if !isOrigin(origin) {
			errs = append(errs, fmt.Errorf("allowed-origins: %q must be scheme://host, such as https://example.org, without a path", origin))
		}
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		errs = append(errs, fmt.Errorf("log-format %q must be text or json", c.LogFormat))
	}
	return errs
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == s
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
		if value := s.value.String(); value != "" {
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
