package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ownNice is the priority that the process asks for. Every thread counts: Go hands the media workers'
// goroutines from one to the next, and each of these would keep them waiting on a full machine.
const ownNice = -10

// hasten raises the priority of all threads, and so of those that they start, where the process may
// (CAP_SYS_NICE, or RLIMIT_NICE) and has not been given a better one.
func hasten() {
	if nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || 20-nice <= ownNice { // as the system call tells it
		return
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, ownNice)
		}
	}
}
