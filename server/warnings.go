package server

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"pubsub/server/machine"
)

// machineMemory is what this machine has, and what a cgroup lets us have of it.
var machineMemory = sync.OnceValues(func() (all, cgroup int64) { return machine.Memory(os.DirFS("/")) })

// historyBytes is a quarter of the memory, within reason.
func historyBytes() int {
	all, _ := machineMemory()
	if all == 0 {
		return 256 << 20
	}
	return int(min(max(all/4, 32<<20), 1<<30))
}

func (c *Config) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}

// warnOfNames finds variables that look like settings and are none. They are not
// refused: Kubernetes sets such as PUBSUB_PORT for a service that is called pubsub.
func (c *Config) warnOfNames(settings []setting, env map[string]string) {
	known := make([]string, len(settings))
	for i, s := range settings {
		known[i] = s.env()
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !strings.HasPrefix(name, "PUBSUB_") || slices.Contains(known, name) {
			continue
		}
		if near := nearest(name, known); near != "" {
			c.warn("%s is no setting and changes nothing; perhaps %s is meant", name, near)
		} else {
			c.warn("%s is no setting and changes nothing; see pubsub -help", name)
		}
	}
}

// nearest is the known name that takes the fewest edits, "" if all take many.
func nearest(name string, known []string) string {
	best, fewest := "", len(name)/4+1
	for _, each := range known {
		if n := edits(name, each); n < fewest {
			best, fewest = each, n
		}
	}
	return best
}

// edits is Levenshtein's distance: how many letters to put in, take out or change.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func (c *Config) warnOfSocket() {
	if _, isSocket := socketPath(c.Addr); isSocket && c.TrustedHops == 0 {
		c.warn("all clients of %s count as one address, with one address's limits: set trusted-hops to the number of proxies in front", c.Addr)
	}
}

const (
	fewDescriptors   = 4096
	spareDescriptors = 64 // for all that is no client's connection
)

// fitDescriptors holds the limits against how many files the process may open: of
// those that were given it warns, the others it lowers.
func (c *Config) fitDescriptors(n int, given map[string]bool) {
	if n == 0 {
		return
	}
	if n < fewDescriptors {
		c.warn("this process may open %d files, and needs one for each client: raise that, such as with ulimit -n %d", n, 1<<16)
	}
	c.fit("max-polls", &c.MaxPolls, n-spareDescriptors, n, given)
	c.fit("max-connections-per-address", &c.MaxConnectionsPerAddress, n/2, n, given)
}

func (c *Config) fit(name string, limit *int, most, n int, given map[string]bool) {
	switch {
	case !given[name]:
		*limit = min(*limit, max(most, 1))
	case *limit > n-spareDescriptors:
		c.warn("%s is %d, but this process may open %d files, one for each client: raise that with ulimit -n %d, or set at most %d",
			name, *limit, n, *limit+spareDescriptors, max(n-spareDescriptors, 1))
	}
}
