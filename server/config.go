package server

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Config is every setting. Each is a flag and an environment variable of the
// same name, -poll-timeout and PUBSUB_POLL_TIMEOUT; the flag wins. A limit of 0
// is no limit.
type Config struct {
	Addr            string
	PollTimeout     time.Duration
	Heartbeat       time.Duration
	HistoryMessages int
	HistoryAge      time.Duration
	MaxChannels     int
	MaxMessageBytes int
	DrainTimeout    time.Duration

	ShowVersion bool // only the flag -version
}

// DefaultConfig is what a server runs with when nothing is set.
func DefaultConfig() Config {
	return Config{
		Addr:            "127.0.0.1:8080",
		PollTimeout:     22 * time.Second,
		Heartbeat:       20 * time.Second,
		HistoryMessages: 1000,
		HistoryAge:      5 * time.Minute,
		MaxChannels:     10_000,
		MaxMessageBytes: 16 << 10,
		DrainTimeout:    5 * time.Second,
	}
}

func (c *Config) flags() *flag.FlagSet {
	f := flag.NewFlagSet("pubsub", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are collected and told together
	f.StringVar(&c.Addr, "addr", c.Addr, "`host:port` to listen on; without a host, on all interfaces. Where this is not set, PORT is: a port on all interfaces")
	f.DurationVar(&c.PollTimeout, "poll-timeout", c.PollTimeout, "how long a poll waits that names no timeout, within 10 %. Routers cut what is silent for 30s")
	f.DurationVar(&c.Heartbeat, "heartbeat", c.Heartbeat, "how often a /sub without a cursor is sent a newline while it waits, for the same routers")
	f.IntVar(&c.HistoryMessages, "history-messages", c.HistoryMessages, "how many messages of a channel are kept")
	f.DurationVar(&c.HistoryAge, "history-age", c.HistoryAge, "how long a message is kept")
	f.IntVar(&c.MaxChannels, "max-channels", c.MaxChannels, "how many channels may be in use at a time")
	f.IntVar(&c.MaxMessageBytes, "max-message-bytes", c.MaxMessageBytes, "how many bytes a posted message may have as JSON")
	f.DurationVar(&c.DrainTimeout, "drain-timeout", c.DrainTimeout, "how long a stop waits for requests to end")
	f.BoolVar(&c.ShowVersion, "version", false, "print the version and exit")
	return f
}

// envName is the environment variable of a flag.
func envName(flagName string) string {
	return "PUBSUB_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// LoadConfig reads the settings. Its error tells all that is wrong at once,
// except that the first unknown flag hides what comes after it. The error is
// flag.ErrHelp when help was asked for; see [WriteHelp].
func LoadConfig(args []string, getenv func(string) string) (Config, error) {
	c := DefaultConfig()
	var errs []error
	if port := getenv("PORT"); port != "" {
		c.Addr = ":" + port
		if !isPort(port) {
			errs = append(errs, fmt.Errorf("PORT=%q must be a port number, such as 8080", port))
			c.Addr = "" // told already
		}
	}
	f := c.flags()
	f.VisitAll(func(each *flag.Flag) {
		env, value := envName(each.Name), ""
		if each.Name != "version" {
			value = getenv(env)
		}
		if value != "" && each.Value.Set(value) != nil {
			errs = append(errs, fmt.Errorf("%s=%q must be %s", env, value, wanted(each)))
		}
		each.Value = &collector{each.Value, each, &errs}
	})
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return c, err
	case err != nil:
		errs = append(errs, fmt.Errorf("%w; see pubsub -help", err))
	case f.NArg() > 0:
		errs = append(errs, fmt.Errorf("%q is not a flag; see pubsub -help", f.Arg(0)))
	}
	errs = append(errs, c.validate())
	return c, errors.Join(errs...)
}

// collector keeps a flag's error and lets the parsing go on.
type collector struct {
	flag.Value
	of   *flag.Flag
	errs *[]error
}

func (c *collector) Set(value string) error {
	if c.Value.Set(value) != nil {
		*c.errs = append(*c.errs, fmt.Errorf("-%s %q must be %s", c.of.Name, value, wanted(c.of)))
	}
	return nil
}

func (c *collector) IsBoolFlag() bool { return c.of.Name == "version" }

// wanted says what a flag's values look like.
func wanted(f *flag.Flag) string {
	if strings.ContainsAny(f.DefValue, "smh") && f.DefValue != "false" {
		return "a duration, such as " + f.DefValue
	}
	return "a whole number, such as " + f.DefValue
}

// validate tells what is wrong with values that could be read.
func (c *Config) validate() error {
	var errs []error
	if c.Addr != "" {
		if _, port, err := net.SplitHostPort(c.Addr); err != nil || !isPort(port) {
			errs = append(errs, fmt.Errorf("addr %q must be host:port, such as 127.0.0.1:8080", c.Addr))
		}
	}
	for name, value := range map[string]int64{
		"poll-timeout":      int64(c.PollTimeout),
		"heartbeat":         int64(c.Heartbeat),
		"history-messages":  int64(c.HistoryMessages),
		"history-age":       int64(c.HistoryAge),
		"max-channels":      int64(c.MaxChannels),
		"max-message-bytes": int64(c.MaxMessageBytes),
		"drain-timeout":     int64(c.DrainTimeout),
	} {
		if value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", name))
		}
	}
	return errors.Join(errs...)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// WriteHelp writes what -help shows.
func WriteHelp(w io.Writer) {
	fmt.Fprint(w, `pubsub is a chat and publish/subscribe server over long polling.

Usage: pubsub [flags]

Each flag is also an environment variable: -poll-timeout is PUBSUB_POLL_TIMEOUT.
The flag wins. A limit of 0 is no limit.

`)
	c := DefaultConfig()
	c.flags().VisitAll(func(f *flag.Flag) {
		kind, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  -%s\n      %s.", strings.TrimSpace(f.Name+" "+kind), upperFirst(usage))
		if f.DefValue != "false" {
			fmt.Fprintf(w, " Default %s.", f.DefValue)
		}
		fmt.Fprintln(w)
	})
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
