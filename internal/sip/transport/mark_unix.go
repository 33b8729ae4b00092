//go:build unix

package transport

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// mark sets the DSCP of a socket of one family, where one is configured.
func (t *Layer) mark(network, _ string, c syscall.RawConn) error {
	if t.cfg.DSCP == 0 {
		return nil
	}
	level, option := unix.IPPROTO_IP, unix.IP_TOS
	if strings.HasSuffix(network, "6") {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	}
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, t.cfg.DSCP<<2) })
	if err == nil && failed != nil {
		err = fmt.Errorf("setting DSCP %d: %w", t.cfg.DSCP, failed)
	}
	return err
}
