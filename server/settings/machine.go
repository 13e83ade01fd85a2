package settings

import (
	"os"
	"sync"

	"pubsub/server/machine"
)

// memory returns the memory of the machine, and the limit of a cgroup.
var memory = sync.OnceValues(func() (all, cgroup int64) { return machine.Memory(os.DirFS("/")) })

// historyBytes returns a quarter of the memory, within bounds.
func historyBytes() int {
	all, _ := memory()
	if all == 0 {
		return 256 << 20
	}
	return int(min(max(all/4, 32<<20), 1<<30))
}

// SpareDescriptors is how many descriptors are kept for anything but clients' connections.
const SpareDescriptors = 64

const fewDescriptors = 4096

// fitDescriptors checks the limits against how many files the process may open. It warns of
// limits that were given, and lowers the others.
func (s *Settings) fitDescriptors(n int, given map[string]bool) {
	if n == 0 {
		return
	}
	if n < fewDescriptors {
		s.warn("this process may open %d files, and needs one for each client: raise that, such as with ulimit -n %d", n, 1<<16)
	}
	s.fit("max-polls", &s.MaxPolls, n-SpareDescriptors, n, given)
	s.fit("max-connections-per-address", &s.MaxConnectionsPerAddress, n/2, n, given)
}

func (s *Settings) fit(name string, limit *int, most, n int, given map[string]bool) {
	switch {
	case !given[name]:
		*limit = min(*limit, max(most, 1))
	case *limit > n-SpareDescriptors:
		s.warn("%s is %d, but this process may open %d files, one for each client: raise that with ulimit -n %d, or set at most %d",
			name, *limit, n, *limit+SpareDescriptors, max(n-SpareDescriptors, 1))
	}
}
