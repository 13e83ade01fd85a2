package pubsubtest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Command says how to start the program. The zero Command starts it with its default
// settings on a free port.
type Command struct {
	// Settings are NAME=value, put into the environment. PUBSUB_ADDR is a free port
	// of 127.0.0.1 unless PUBSUB_ADDR or PORT is among them. Nothing of the tests' own
	// environment sets anything.
	Settings []string

	// Shell is a line for sh with pubsub on its PATH, such as "ulimit -n 1024; exec
	// pubsub". It must exec, so that signals reach the program. If empty, the program
	// is started without flags.
	Shell string

	// Stderr, if set, is where the program writes its log; Log returns nothing then.
	Stderr *os.File
}

// Server is a running program of ours.
type Server struct {
	Site
	*Process

	// Line is the first line that the program wrote to stdout, without its end. It
	// says where the server listens.
	Line string

	command Command
}

// Start starts a server with these settings, NAME=value, for a test. The server is
// stopped at the end of the test as [Run] has it.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	return Command{Settings: settings}.Start(t)
}

// Start starts the server for a test, and stops it at its end as [Run] has it.
func (c Command) Start(t testing.TB) *Server {
	t.Helper()
	lookAtSource()
	if !c.hasAddr() {
		c.Settings = append(slices.Clone(c.Settings), "PUBSUB_ADDR="+Reserve(t, "127.0.0.1")) // else another may have it before Restart
	}
	s, err := c.Launch()
	require.NoError(t, err)
	s.endWith(t)
	return s
}

// Launch starts a server that the caller stops, and returns when it listens.
func (c Command) Launch() (*Server, error) {
	s := &Server{command: c}
	return s, s.launch()
}

// Restart starts a server again that was stopped, with the same settings under the
// same address. What only this run of it says, such as Line and Log, begins anew.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.command.Settings = append(slices.Clone(s.command.Settings), "PUBSUB_ADDR="+s.Addr())
	require.NoError(t, s.launch())
	s.endWith(t)
}

func (c Command) hasAddr() bool {
	return slices.ContainsFunc(c.Settings, func(setting string) bool {
		return strings.HasPrefix(setting, "PUBSUB_ADDR=") || strings.HasPrefix(setting, "PORT=")
	})
}

var listening = regexp.MustCompile(`^The chat is at (?:unix:(\S+)|http://(\S+:)(\d+)( \(on all interfaces\))?)$`)

func (s *Server) launch() error {
	dir, err := Build()
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(dir, "pubsub"))
	if s.command.Shell != "" {
		cmd = exec.Command("sh", "-c", s.command.Shell)
	}
	cmd.Dir = dir // nothing may be read from the source folder
	cmd.Env = append(environment(), "PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if !s.command.hasAddr() {
		cmd.Env = append(cmd.Env, "PUBSUB_ADDR=127.0.0.1:0")
	}
	cmd.Env = append(cmd.Env, s.command.Settings...)
	if s.command.Stderr != nil {
		cmd.Stderr = s.command.Stderr
	}
	if s.Process, err = Launch(cmd, "The chat is at "); err != nil {
		return err
	}
	s.Line, _, _ = strings.Cut(s.stdout.String(), "\n")
	sentence := struct{ Msg string }{s.Line}
	_ = json.Unmarshal([]byte(s.Line), &sentence) // with PUBSUB_LOG_FORMAT=json
	where := listening.FindStringSubmatch(sentence.Msg)
	switch {
	case where == nil:
		_ = s.cmd.Process.Kill()
		return fmt.Errorf("the server says %q, and not where it listens", s.Line)
	case where[1] != "":
		s.Site = overSocket(where[1])
	case where[4] != "":
		s.Site, err = At("http://127.0.0.1:" + where[3])
	default:
		s.Site, err = At("http://" + where[2] + where[3])
	}
	s.built = true
	return err
}

func (s *Server) endWith(t testing.TB) {
	t.Helper()
	t.Cleanup(s.CloseIdle)
	s.Process.endWith(t)
}

// environment is this process's, without what would set anything.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(setting string) bool {
		name, _, _ := strings.Cut(setting, "=")
		return strings.HasPrefix(name, "PUBSUB_") || slices.Contains([]string{"PORT", "GOGC", "GOMEMLIMIT"}, name)
	})
}
