package settings

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Defaults for a log that outlives the process.
const (
	lastingAge   = 7 * 24 * time.Hour
	lastingBytes = 1 << 30 // of all messages; in a Redis half of its memory at most
)

// placeHistory checks where messages are kept. It sets bounds that fit the place, unless they
// are given.
func (s *Settings) placeHistory(env map[string]string, given map[string]bool) error {
	if err := s.lookUpHistory(env); err != nil {
		return err
	}
	switch scheme, _, isAddress := strings.Cut(s.History, "://"); {
	case s.History == "memory":
		return nil
	case isAddress && (scheme == "redis" || scheme == "rediss" || scheme == "redis-sentinel"):
	case isAddress:
		return fmt.Errorf("history has an address of the kind %s://, and must have redis://, rediss:// or redis-sentinel://", scheme)
	case !strings.ContainsRune(s.History, '/'):
		return errors.New("history must be memory, a folder with a slash in it such as ./data, or the address of a Redis such as redis://127.0.0.1:6379")
	}
	if !given["history-age"] {
		s.HistoryAge = lastingAge
	}
	if !given["history-bytes"] {
		s.HistoryBytes = lastingBytes
	}
	return nil
}

// lookUpHistory replaces env:NAME by the value of that variable. Options may follow the name,
// because a platform writes the variable itself.
func (s *Settings) lookUpHistory(env map[string]string) error {
	name, isVariable := strings.CutPrefix(s.History, "env:")
	if !isVariable {
		return nil
	}
	name, options, _ := strings.Cut(name, "?")
	address := env[name]
	switch {
	case address == "":
		return fmt.Errorf("history is env:%s, but there is no variable %s", name, name)
	case options != "" && strings.Contains(address, "?"):
		address += "&" + options
	case options != "":
		address += "?" + options
	}
	s.History = address
	return nil
}
