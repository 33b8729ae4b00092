//go:build !linux || !(amd64 || arm64)

package forker

import "net/netip"

// newDriver gives the best driver of the platform.
func newDriver(_ int, _ bool, now func() int64) (driver, error) { return newNetDriver(now), nil }

// rawWay: there is no raw driver, and it is never ready.
type rawWay struct{}

func rawWayOf(socket, netip.AddrPort) rawWay { return rawWay{} }

func (rawWay) ready() bool { return false }

func (rawWay) send([]byte) error { return nil }
