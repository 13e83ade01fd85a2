// Package machine knows how much memory and how many descriptors the process may take, and
// keeps its memory small.
package machine

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Memory returns how many bytes of memory the process can have, and the limit of its cgroup,
// 0 if there is none. It reads /proc and /sys below root. A number that it cannot find is 0,
// as both are on systems other than Linux.
func Memory(root fs.FS) (all, cgroup int64) {
	all = total(root)
	for _, dir := range cgroups(root) {
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			limit := readNumber(root, path.Join(dir, name))
			if limit > 0 && (all == 0 || limit < all) { // cgroup v1 has a huge number if there is no limit
				all, cgroup = limit, limit
			}
		}
	}
	return all, cgroup
}

// total returns the memory of the machine in bytes, 0 if unknown.
func total(root fs.FS) int64 {
	text, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemTotal:" {
			kibibytes, _ := strconv.ParseInt(fields[1], 10, 64)
			return kibibytes << 10
		}
	}
	return 0
}

// cgroups returns the folders of the process's cgroups and of those above, whose limits
// count, too. In a container the paths may be those of the host, so the folders may not
// exist. The root folders always do, and have the container's limit.
func cgroups(root fs.FS) []string {
	const v2, v1 = "sys/fs/cgroup", "sys/fs/cgroup/memory"
	dirs := []string{v2, v1}
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) { // id:controllers:path
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		base := v2
		if strings.Contains(","+parts[1]+",", ",memory,") {
			base = v1
		} else if parts[1] != "" {
			continue // another hierarchy of cgroup v1
		}
		for at := path.Clean("/" + parts[2]); at != "/"; at = path.Dir(at) {
			dirs = append(dirs, base+at)
		}
	}
	return dirs
}

// readNumber reads a file that has a single number. It returns 0 for anything else, such as
// "max".
func readNumber(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}
