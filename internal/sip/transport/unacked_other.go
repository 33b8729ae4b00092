//go:build !linux

package transport

import (
	"syscall"
	"time"
)

// Elsewhere connections go by the system's own patience.
func limitUnacked(syscall.RawConn, time.Duration) {}
