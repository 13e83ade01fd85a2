package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"pubsub/server/machine"
)

// Load reads the settings from flags and from an environment such as [os.Environ]. The error
// tells all that is wrong at once, except that an unknown flag hides those after it. The
// error is flag.ErrHelp if help was asked for, see [WriteHelp].
func Load(args, environ []string) (Settings, error) {
	s := Default()
	table, env := s.table(), variables(environ)
	flags, err := s.parse(table, args)
	if errors.Is(err, flag.ErrHelp) {
		return s, err
	}
	errs := []error{s.setPort(env["PORT"])}
	given, wrong := s.set(append(assignmentsOf(table, env), flags...))
	errs = append(errs, wrong...)
	errs = append(append(errs, err, s.placeHistory(env, given)), s.validate()...)
	if s.Domain != "" {
		s.Addr, s.RedirectAddr = addrOr(given["addr"] || env["PORT"] != "", s.Addr, ":443"), addrOr(given["redirect-addr"], s.RedirectAddr, ":80")
	}
	if !given["request-rate"] { // a poll that was answered comes again
		s.RequestRate = 5 * float64(s.MaxPollsPerAddress)
	}
	if env["GOMEMLIMIT"] == "" {
		_, cgroup := memory()
		s.MemoryLimit = cgroup / 10 * 9
	}
	s.warnOfNames(table, env)
	s.warnOfSocket()
	s.fitDescriptors(machine.Descriptors(), given)
	return s, errors.Join(errs...)
}

// addrOr returns addr if it was given, otherwise usual.
func addrOr(given bool, addr, usual string) string {
	if given {
		return addr
	}
	return usual
}

// assignment is a value given for a setting. how is a format such as "-name %q", for errors.
type assignment struct {
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

// assignmentsOf returns the values in the environment. An empty variable counts as unset.
func assignmentsOf(table []setting, env map[string]string) (all []assignment) {
	for _, row := range table {
		if text := env[row.env()]; text != "" {
			all = append(all, assignment{row, row.env() + "=%q", text})
		}
	}
	return all
}

// parse parses the flags.
func (s *Settings) parse(table []setting, args []string) (all []assignment, err error) {
	flags := flag.NewFlagSet("pubsub", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are told together
	flags.BoolVar(&s.ShowVersion, "version", false, "")
	for _, row := range table {
		define := flags.Func
		if row.value.isBool {
			define = flags.BoolFunc
		}
		define(row.name, "", func(text string) error {
			all = append(all, assignment{row, "-" + row.name + " %q", text})
			return nil
		})
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, err
	case err != nil:
		return all, fmt.Errorf("%w; see pubsub -help", err)
	case flags.NArg() > 0:
		return all, fmt.Errorf("%q is not a flag; see pubsub -help", flags.Arg(0))
	}
	return all, nil
}

// setPort sets Addr from PORT, as a PaaS sets it.
func (s *Settings) setPort(port string) error {
	if port == "" {
		return nil
	}
	if !isPort(port) {
		return fmt.Errorf("PORT=%q must be a port number, such as 8080", port)
	}
	s.Addr = ":" + port
	return nil
}

// set sets the values, and returns the names of the settings that were given. A later value
// wins. The defaults of -paas come before all others.
func (s *Settings) set(all []assignment) (given map[string]bool, errs []error) {
	given = make(map[string]bool)
	set := func(paas bool) {
		for _, a := range all {
			if (a.name == "paas") != paas {
				continue
			}
			given[a.name] = true
			if err := a.value.set(a.text); err != nil {
				errs = append(errs, fmt.Errorf(a.how+" must be %s", a.text, a.wantedOr(err)))
			}
		}
	}
	set(true)
	if s.PaaS {
		s.TrustedHops = 1
	}
	set(false)
	return given, errs
}

// wantedOr tells what values look like. If the setting does not tell, the error does.
func (s setting) wantedOr(err error) string {
	if s.wanted != "" {
		return s.wanted
	}
	return err.Error()
}
