//go:build unix

package webhook

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// flock keeps a second process away from a spool; it ends with the process.
func flock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errors.New("another process uses it")
	}
	return nil // a file system without locks: the operator's care
}
