package peer

import (
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime is the processor time that f takes at best, of so many tries, collection of garbage included. Other processes
// do not count, so that it says something on a busy machine, too; other goroutines of this one do.
func CPUTime(tries int, f func()) time.Duration {
	best := time.Hour
	for range tries {
		began := used()
		f()
		best = min(best, used()-began)
	}
	return best
}

// used is the processor time that this process has taken so far.
func used() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
