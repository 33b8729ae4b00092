//go:build !unix

package transport

import (
	"errors"
	"syscall"
)

var markable = errors.New("DSCP cannot be set on this system")

func setDSCP(string, syscall.RawConn, int) error { return markable }
