//go:build !unix

package store

import "os"

// lock has nothing to offer here: one proxy per journal is the operator's care.
func lock(file string) (*os.File, error) {
	return os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o640)
}
