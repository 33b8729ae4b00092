package main

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// memoryShare is how much of the memory that there is the process may take before
// the collector runs as often as it must, in percent: the rest is for what is not of
// Go's heap, above all the kernel's buffers of sockets.
const memoryShare = 90

// memoryLimit is that in bytes, by what the machine has and what the cgroups (v2) that
// the process is in allow, as MemoryMax of systemd or the limit of a container; 0 when
// the system does not say. root is the file system.
func memoryLimit(root fs.FS) int64 {
	least := machineMemory(root)
	own, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(own)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for group = path.Clean("/" + group); ; group = path.Dir(group) {
			text, _ := fs.ReadFile(root, path.Join("sys/fs/cgroup", group, "memory.max"))
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && (least == 0 || n < least) {
				least = n
			}
			if group == "/" {
				break
			}
		}
	}
	return least / 100 * memoryShare
}

// machineMemory is MemTotal of proc(5), 0 where there is none.
func machineMemory(root fs.FS) int64 {
	text, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}
