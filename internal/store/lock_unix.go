//go:build unix

package store

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock makes this process the only one that writes the journal; readers do not
// mind. It is a file of its own, for SQLite's locks and these may not meet, and
// it ends with the process, however that ends.
func lock(file string) (*os.File, error) {
	f, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil, errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS): // a file system without locks
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = errors.New("another process writes it")
	}
	_ = f.Close() // nothing was written
	return nil, fmt.Errorf("%s: %w", file, err)
}
