package api

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// peerUser names the user at the other end of a unix socket, for the audit log.
func peerUser(c *net.UnixConn) string {
	raw, err := c.SyscallConn()
	if err != nil {
		return ""
	}
	var cred *unix.Ucred
	if raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }) != nil || err != nil {
		return ""
	}
	return fmt.Sprintf(" uid=%d", cred.Uid)
}
