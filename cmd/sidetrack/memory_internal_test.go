package main

import (
	"math"
	"os"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestMemoryLimit(t *testing.T) {
	const gb = 1 << 30
	files := func(pairs ...string) fstest.MapFS {
		root := fstest.MapFS{}
		for i := 0; i < len(pairs); i += 2 {
			root[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
		}
		return root
	}
	const machine = "MemFree:  1 kB\nMemTotal:        4194304 kB\n"
	for name, tt := range map[string]struct {
		root fstest.MapFS
		of   int64
	}{
		"nothing is known": {files(), 0},
		"a machine":        {files("proc/meminfo", machine), 4 * gb},
		"no limit":         {files("proc/meminfo", machine, "proc/self/cgroup", "0::/a\n", "sys/fs/cgroup/a/memory.max", "max\n"), 4 * gb},
		"a service": {files("proc/meminfo", machine, "proc/self/cgroup", "1:name=x:/b\n0::/system.slice/a.service\n",
			"sys/fs/cgroup/system.slice/a.service/memory.max", "1073741824\n", "sys/fs/cgroup/system.slice/memory.max", "max\n"), gb},
		"its slice": {files("proc/meminfo", machine, "proc/self/cgroup", "0::/s/a\n",
			"sys/fs/cgroup/s/a/memory.max", "3221225472\n", "sys/fs/cgroup/s/memory.max", "2147483648\n"), 2 * gb},
		"a container":             {files("proc/meminfo", machine, "proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "536870912\n"), gb / 2},
		"more than there is":      {files("proc/meminfo", machine, "proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "8589934592\n"), 4 * gb},
		"only the cgroup is told": {files("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "1073741824\n"), gb},
		"junk":                    {files("proc/meminfo", "MemTotal: x\n", "proc/self/cgroup", "0::../../..\n", "sys/fs/cgroup/memory.max", "-5\n"), 0},
	} {
		if got := memoryLimit(tt.root); got != tt.of/100*memoryShare {
			t.Errorf("%s: %d of %d", name, got, tt.of)
		}
	}
}

// The limit is in force while the proxy serves, unless somebody has said better.
func TestMemoryLimitIsSet(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Setenv(name, "")
	}
	before := debug.SetMemoryLimit(-1)
	want := memoryLimit(os.DirFS("/"))
	if want == 0 {
		want = math.MaxInt64
	}
	end := collecting()
	if now := debug.SetMemoryLimit(-1); now != want {
		t.Errorf("the limit is %d, want %d", now, want)
	}
	end()
	if now := debug.SetMemoryLimit(-1); now != before {
		t.Errorf("the limit stays: %d", now)
	}
	t.Setenv("GOMEMLIMIT", "1GiB")
	defer collecting()()
	if now := debug.SetMemoryLimit(-1); now != before {
		t.Errorf("GOMEMLIMIT is set, and the limit is %d", now)
	}
}
