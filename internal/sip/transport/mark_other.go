//go:build !unix

package transport

import (
	"errors"
	"syscall"
)

func (t *Layer) mark(_, _ string, _ syscall.RawConn) error {
	if t.cfg.DSCP == 0 {
		return nil
	}
	return errors.New("DSCP cannot be set on this system")
}
