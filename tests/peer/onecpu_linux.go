package peer

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// OneCPU keeps this process on one CPU until the end of the test. Loopback has a queue for each CPU: a sender that is
// moved in between lets packets overtake each other, on a busy machine many of them. On one CPU they keep their order.
func OneCPU(t testing.TB) {
	t.Helper()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(os.Getpid(), &all); err != nil {
		t.Fatalf("reading the CPU affinity: %v", err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	bind(t, &one)
	t.Cleanup(func() { bind(t, &all) })
}

// bind binds every thread; one that is born meanwhile of a thread that was not bound yet is found in the next round.
func bind(t testing.TB, to *unix.CPUSet) {
	t.Helper()
	bound := map[string]bool{}
	for fresh := true; fresh; {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatalf("listing the threads: %v", err)
		}
		fresh = false
		for _, thread := range threads {
			if bound[thread.Name()] {
				continue
			}
			fresh, bound[thread.Name()] = true, true
			id, err := strconv.Atoi(thread.Name())
			if err == nil {
				err = unix.SchedSetaffinity(id, to)
			}
			if err != nil && err != unix.ESRCH { // it has ended
				t.Fatalf("binding thread %s: %v", thread.Name(), err)
			}
		}
	}
}
