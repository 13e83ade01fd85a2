package machine_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"pubsub/server/machine"
)

func TestMemoryIsTheSmallestThatAnybodySets(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		files       map[string]string
		all, cgroup int64
	}{
		"no Linux":     {nil, 0, 0},
		"a machine":    {map[string]string{"proc/meminfo": "MemFree: 1 kB\nMemTotal:       4194304 kB\n"}, 4 * gib, 0},
		"no limit, v2": {map[string]string{"proc/meminfo": "MemTotal: 4194304 kB\n", "sys/fs/cgroup/memory.max": "max\n"}, 4 * gib, 0},
		"no limit, v1": {map[string]string{"proc/meminfo": "MemTotal: 4194304 kB\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 4 * gib, 0},
		"a container":  {map[string]string{"proc/meminfo": "MemTotal: 4194304 kB\n", "sys/fs/cgroup/memory.max": "536870912\n", "proc/self/cgroup": "0::/\n"}, gib / 2, gib / 2},
		"an old one": {map[string]string{
			"proc/meminfo": "MemTotal: 4194304 kB\n", "proc/self/cgroup": "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
		}, gib / 2, gib / 2},
		"an old one with controllers together": {map[string]string{
			"proc/meminfo": "MemTotal: 4194304 kB\n", "proc/self/cgroup": "5:cpu,cpuacct:/docker/2\n4:hugetlb,memory:/docker/1\n",
			"sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "536870912\n",
			"sys/fs/cgroup/memory/docker/2/memory.limit_in_bytes": "268435456\n", "sys/fs/cgroup/docker/2/memory.max": "268435456\n",
		}, gib / 2, gib / 2},
		"a unit of systemd": {map[string]string{
			"proc/meminfo": "MemTotal: 4194304 kB\n", "proc/self/cgroup": "0::/chat.slice/pubsub.service\n",
			"sys/fs/cgroup/chat.slice/memory.max": "1073741824\n", "sys/fs/cgroup/chat.slice/pubsub.service/memory.max": "2147483648\n",
		}, gib, gib},
		"noise": {map[string]string{"proc/meminfo": "MemTotal:\n", "proc/self/cgroup": "nothing\n", "sys/fs/cgroup/memory.max": "\n"}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for path, text := range c.files {
				root[path] = &fstest.MapFile{Data: []byte(text)}
			}
			all, cgroup := machine.Memory(root)
			require.Equal(t, c.all, all)
			require.Equal(t, c.cgroup, cgroup)
		})
	}
}

func TestDescriptorsAreKnown(t *testing.T) {
	require.GreaterOrEqual(t, machine.Descriptors(), 64)
}
