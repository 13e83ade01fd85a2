package target

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// family is a process and all its descendants, nil for pid 0. It is read once,
// when the target is ready: those here do not start others later.
func family(pid int) ([]int, error) {
	if pid == 0 {
		return nil, nil
	}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, file := range files {
		if fields := statFields(file); len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1])
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			children[parent] = append(children[parent], child)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
		return nil, fmt.Errorf("there is no process %d on this machine; give the server's own id, or none", pid)
	}
	return all, nil
}

// statFields are the fields of a /proc/PID/stat from the state on; the name
// before it may have blanks.
func statFields(file string) []string {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil // it has ended meanwhile
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// Measured tells whether CPU and Memory know anything.
func (t *Target) Measured() bool { return len(t.pids) > 0 }

// CPU is the time that all the target's processes have computed.
func (t *Target) CPU() time.Duration {
	var sum time.Duration
	for _, pid := range t.pids {
		sum += cpu(pid)
	}
	return sum
}

// cpu asks the process's clock, which knows nanoseconds, where utime and stime
// in /proc/PID/stat count the same in hundredths of a second.
func cpu(pid int) time.Duration {
	var clock unix.Timespec
	const scheduled = 2 // see the clock ids in the kernel's posix-timers.h
	if unix.ClockGettime(^int32(pid)<<3|scheduled, &clock) == nil {
		return time.Duration(clock.Nano())
	}
	fields := statFields(fmt.Sprintf("/proc/%d/stat", pid))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// Memory is what the target's processes hold, in bytes: PSS, which shares out
// what several of them map, or RSS where PSS may not be read. The kernel's own
// buffers for sockets are not in it.
func (t *Target) Memory() int64 {
	var sum int64
	for _, pid := range t.pids {
		n, err := kilobytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
		if err != nil {
			n, _ = kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
		}
		sum += n << 10
	}
	return sum
}

func kilobytes(file, name string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, errors.New("not told")
}

// Files is how many files, sockets among them, the target's processes have open.
func (t *Target) Files() int {
	sum := 0
	for _, pid := range t.pids {
		names, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		sum += len(names)
	}
	return sum
}

// Settle waits until the target has done what it was asked to: until it hardly
// computes for a while, or a fixed time if its CPU is not known. It returns
// false if the target is busy still after limit.
func (t *Target) Settle(limit time.Duration) bool {
	const step, calm = 20 * time.Millisecond, 3
	if !t.Measured() {
		time.Sleep(min(limit, 500*time.Millisecond))
		return true
	}
	quiet, before := 0, t.CPU()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		time.Sleep(step)
		now := t.CPU()
		if quiet++; now-before > step/50 || t.wantsCPU() {
			quiet = 0
		}
		if quiet == calm {
			return true
		}
		before = now
	}
	return false
}

// wantsCPU tells whether a thread of the target computes, or waits for a processor that
// others have: on a busy machine what stands still is not always done.
func (t *Target) wantsCPU() bool {
	for _, pid := range t.pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, thread := range threads {
			if fields := statFields(thread); len(fields) > 0 && fields[0] == "R" {
				return true
			}
		}
	}
	return false
}

// Alive tells whether the target's first process is still there, which is also
// so when nothing is known of it.
func (t *Target) Alive() bool {
	return t.process == nil || !closed(t.process.ended)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
