//go:build unix

package recorder

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockAlone reports whether nobody else has locked the folder, and locks it. The lock
// ends with the process, however that ends. On a file system without locks it is the
// operator's care that there is one recorder per folder.
func lockAlone(folder *os.File) bool {
	return !errors.Is(unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// lockShared lets others have the folder too, but nobody alone.
func lockShared(folder *os.File) {
	_ = unix.Flock(int(folder.Fd()), unix.LOCK_SH|unix.LOCK_NB) // as above
}
