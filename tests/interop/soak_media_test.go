//go:build interop

package interop_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Recorded calls with audio come and go for two minutes: none is missing anything, the clocks of both directions stay
// together, the heap stays flat, and ports, goroutines and descriptors are given back. It has a job of its own in make
// interop, as it hardly takes a processor; make soak-media does it with more calls, for as long as one likes.
func TestSoakWithAudio(t *testing.T) {
	media := filepath.Join(t.TempDir(), "media")
	if out, err := exec.Command("go", "build", "-o", media, "sidetrack/tests/load/media").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	out, err := exec.Command(media, "-host", home(60), "-sidetrack", program(t), "-calls", "40", "-soak", "2m").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
