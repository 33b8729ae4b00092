//go:build unix

package transport

import (
	"math"

	"golang.org/x/sys/unix"
)

// descriptors is how many files and sockets the process may have open.
func descriptors() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(uint64(l.Cur), math.MaxInt32))
}
