package recorder

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What others have left is told to who has the folder alone, whoever came first; the next one hears of it when all have
// gone.
func TestClaim(t *testing.T) {
	out := t.TempDir()
	if err := os.Mkdir(filepath.Join(out, "left"), 0o750); err != nil {
		t.Fatal(err)
	}
	claim := func(want int) *os.File {
		t.Helper()
		s := &Server{cfg: Config{Out: out}}
		left, err := s.claim()
		if err != nil || len(left) != want {
			t.Errorf("left: %q, %v; want %d", left, err, want)
		}
		return s.folder
	}
	first := claim(1)
	second := claim(0)
	_ = first.Close()
	third := claim(0) // beside the second
	_ = second.Close()
	_ = third.Close()
	_ = claim(1).Close()
}

// A link where a capture should be, or a pipe, leads to nothing that is changed.
func TestRescueFollowsNoLink(t *testing.T) {
	out := t.TempDir()
	precious := filepath.Join(out, "precious")
	if err := os.WriteFile(precious, []byte("not a capture"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1.wav", "1.pcap"} {
		f := newFolder(out, time.Now(), name)
		dead := filepath.Join(out, f.name)
		if err := os.Mkdir(dead, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(precious, filepath.Join(dead, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := rescued(dead); err == nil {
			t.Errorf("%s: a link was taken for a file", name)
		}
		if b, err := os.ReadFile(precious); string(b) != "not a capture" {
			t.Errorf("%s: %q behind the link, %v", name, b, err)
		}
	}
}
