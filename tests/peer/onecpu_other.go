//go:build !linux

package peer

import "testing"

// OneCPU skips the test: it knows Linux only.
func OneCPU(t testing.TB) {
	t.Helper()
	t.Skip("threads are bound to a CPU on Linux only")
}
