package access

import (
	"slices"

	"pubsub/server/history"
)

// Waited tells whether a poll is pending on a channel. It is safe for concurrent use.
func (p *polls) Waited(channel string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byChannel[channel] != nil
}

// WaitedChannels returns on how many channels polls are pending. It is safe for concurrent
// use.
func (p *polls) WaitedChannels() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byChannel)
}

// Channels returns the names of the channels on which polls are pending, sorted and without
// companions. It is safe for concurrent use. The slice is the caller's.
func (p *polls) Channels() []string {
	p.mu.Lock()
	names := make([]string, 0, len(p.byChannel))
	for name := range p.byChannel {
		if !history.IsCompanion(name) {
			names = append(names, name)
		}
	}
	p.mu.Unlock()
	slices.Sort(names)
	return names
}
