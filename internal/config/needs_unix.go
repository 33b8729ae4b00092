//go:build unix

package config

import "golang.org/x/sys/unix"

// writable asks the system whether this process may write there.
func writable(name string) error { return unix.Access(name, unix.W_OK) }
