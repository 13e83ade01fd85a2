package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (s *Settings) warn(format string, args ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...))
}

// warnOfNames warns of variables that look like settings but are none. They are not refused,
// because Kubernetes sets some, such as PUBSUB_PORT, for a service called pubsub.
func (s *Settings) warnOfNames(table []setting, env map[string]string) {
	known := make([]string, len(table))
	for i, row := range table {
		known[i] = row.env()
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !strings.HasPrefix(name, "PUBSUB_") || slices.Contains(known, name) {
			continue
		}
		if near := nearest(name, known); near != "" {
			s.warn("%s is no setting and changes nothing; perhaps %s is meant", name, near)
		} else {
			s.warn("%s is no setting and changes nothing; see pubsub -help", name)
		}
	}
}

// nearest returns the known name with the fewest edits, "" if all take many.
func nearest(name string, known []string) string {
	best, fewest := "", len(name)/4+1
	for _, each := range known {
		if n := edits(name, each); n < fewest {
			best, fewest = each, n
		}
	}
	return best
}

// edits returns the Levenshtein distance: how many letters to insert, delete or change.
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

func (s *Settings) warnOfSocket() {
	if _, isSocket := SocketPath(s.Addr); isSocket && s.TrustedHops == 0 {
		s.warn("all clients of %s count as one address, with one address's limits: set trusted-hops to the number of proxies in front", s.Addr)
	}
}
