//go:build unix

package transport

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

var markable error

// setDSCP sets the DSCP of a socket of one family.
func setDSCP(network string, c syscall.RawConn, dscp int) error {
	level, option := unix.IPPROTO_IP, unix.IP_TOS
	if strings.HasSuffix(network, "6") {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	}
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, dscp<<2) })
	if err == nil && failed != nil {
		err = fmt.Errorf("setting DSCP %d: %w", dscp, failed)
	}
	return err
}
