package settings

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds where a log outlives the process.
const (
	lastingAge   = 7 * 24 * time.Hour
	lastingBytes = 1 << 30 // of all messages; in a Redis at most half of what it may take
)

// placeHistory reads where the messages are kept, and sets the bounds that fit the place
// where they are not given.
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

// lookUpHistory puts what a variable says in place of its name. Options may stand behind
// the name, since a platform writes the variable as it likes.
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
