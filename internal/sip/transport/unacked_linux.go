package transport

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limitUnacked has the kernel end a connection whose peer does not acknowledge
// what was sent for so long (RFC 5482); 0: when it has repeated it often enough,
// after a quarter of an hour or so.
func limitUnacked(c syscall.RawConn, d time.Duration) {
	_ = c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d/time.Millisecond))
	})
}
