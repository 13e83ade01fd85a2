package server

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"pubsub/server/machine"
)

// LoadConfig reads the settings from flags and an environment such as
// [os.Environ]. Its error tells all that is wrong at once, except that an unknown
// flag hides what comes after it. The error is flag.ErrHelp when help was asked
// for; see [WriteHelp].
func LoadConfig(args, environ []string) (Config, error) {
	c := DefaultConfig()
	settings, env := c.settings(), variables(environ)
	flags, err := c.parse(settings, args)
	if errors.Is(err, flag.ErrHelp) {
		return c, err
	}
	errs := []error{c.setPort(env["PORT"])}
	given, wrong := c.set(append(wordsOf(settings, env), flags...))
	errs = append(errs, wrong...)
	errs = append(append(errs, err), c.validate()...)
	if !given["request-rate"] { // a poll that was answered comes again
		c.RequestRate = 5 * float64(c.MaxPollsPerAddress)
	}
	if env["GOMEMLIMIT"] == "" {
		_, cgroup := machineMemory()
		c.MemoryLimit = cgroup / 10 * 9
	}
	c.warnOfNames(settings, env)
	c.warnOfSocket()
	c.fitDescriptors(machine.Descriptors(), given)
	return c, errors.Join(errs...)
}

// word is what was said of a setting, and how: "-name %q".
type word struct {
	setting
	how, text string
}

func variables(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, each := range environ {
		name, value, _ := strings.Cut(each, "=")
		env[name] = value
	}
	return env
}

// wordsOf is what the environment says. An empty variable says nothing.
func wordsOf(settings []setting, env map[string]string) (words []word) {
	for _, s := range settings {
		if text := env[s.env()]; text != "" {
			words = append(words, word{s, s.env() + "=%q", text})
		}
	}
	return words
}

// parse reads the flags into words.
func (c *Config) parse(settings []setting, args []string) (words []word, err error) {
	flags := flag.NewFlagSet("pubsub", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are told together
	flags.BoolVar(&c.ShowVersion, "version", false, "")
	for _, s := range settings {
		define := flags.Func
		if s.value.isBool {
			define = flags.BoolFunc
		}
		define(s.name, "", func(text string) error {
			words = append(words, word{s, "-" + s.name + " %q", text})
			return nil
		})
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, err
	case err != nil:
		return words, fmt.Errorf("%w; see pubsub -help", err)
	case flags.NArg() > 0:
		return words, fmt.Errorf("%q is not a flag; see pubsub -help", flags.Arg(0))
	}
	return words, nil
}

// setPort sets what a PaaS says of the address.
func (c *Config) setPort(port string) error {
	if port == "" {
		return nil
	}
	if !isPort(port) {
		return fmt.Errorf("PORT=%q must be a port number, such as 8080", port)
	}
	c.Addr = ":" + port
	return nil
}

// set sets what words say, the later of two wins, and returns the names of the
// settings that were given. What fits a PaaS comes before all else.
func (c *Config) set(words []word) (given map[string]bool, errs []error) {
	given = make(map[string]bool)
	set := func(paas bool) {
		for _, w := range words {
			if (w.name == "paas") != paas {
				continue
			}
			given[w.name] = true
			if err := w.value.set(w.text); err != nil {
				errs = append(errs, fmt.Errorf(w.how+" must be %s", w.text, w.wantedOr(err)))
			}
		}
	}
	set(true)
	if c.PaaS {
		c.TrustedHops = 1
	}
	set(false)
	return given, errs
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
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if path, isSocket := socketPath(c.Addr); isSocket && path == "" || !isSocket && !isHostPort(c.Addr) {
		wrong("addr %q must be host:port, such as 127.0.0.1:8080, or unix: and a path, such as unix:/run/pubsub.sock", c.Addr)
	}
	if c.AdminAddr != "" && !isHostPort(c.AdminAddr) {
		wrong("admin-addr %q must be host:port, such as 127.0.0.1:6060", c.AdminAddr)
	}
	for _, origin := range c.AllowedOrigins {
		switch {
		case isOrigin(origin):
		case strings.Contains(origin, "*"):
			wrong("allowed-origins: %q must be one origin, such as https://chat.example.org; only * alone stands for others, for all", origin)
		default:
			wrong("allowed-origins: %q must be scheme://host, such as https://example.org, without a path", origin)
		}
	}
	for _, host := range c.AllowedHosts {
		if !isHost(host) {
			wrong("allowed-hosts: %q must be a host, such as chat.example.org, without scheme, path and *", host)
		}
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		wrong("log-format %q must be text or json", c.LogFormat)
	}
	return errs
}

func isHostPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	return err == nil && isPort(port)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == s
}
