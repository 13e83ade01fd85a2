// Package machine tells how much of the machine this process may take.
package machine

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Memory reads from the root of a file system how many bytes of memory there
// are for this process, and how many its cgroup lets it have if it has one that
// limits it. What cannot be found out is 0, as all is where there is no Linux.
func Memory(root fs.FS) (all, cgroup int64) {
	all = total(root)
	for _, dir := range cgroups(root) {
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			limit := readNumber(root, path.Join(dir, name))
			if limit > 0 && (all == 0 || limit < all) { // v1 writes a huge number for none
				all, cgroup = limit, limit
			}
		}
	}
	return all, cgroup
}

// total is the machine's memory.
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

// cgroups are the folders of this process's cgroups and of all above them, which
// limit it too. In a container the paths may be those of the host, where only the
// roots are there.
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
			continue // of something else
		}
		for at := path.Clean("/" + parts[2]); at != "/"; at = path.Dir(at) {
			dirs = append(dirs, base+at)
		}
	}
	return dirs
}

// readNumber reads a file that is a number, 0 if it is none, such as "max".
func readNumber(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}
