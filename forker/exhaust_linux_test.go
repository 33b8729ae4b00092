package forker_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"sidetrack/forker"
)

// Out of file descriptors is out of ports, not a crash.
func TestDescriptorsRunOut(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		c := newCall(t, e)
		var was unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
		low := was
		low.Cur = uint64(descriptors(t)) + 4
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
				t.Fatal(err)
			}
		}()
		err := c.relay.SetStreams(4)
		if !errors.Is(err, forker.ErrNoPorts) || !errors.Is(err, unix.EMFILE) {
			t.Fatalf("got %v, want ErrNoPorts by EMFILE", err)
		}
		p := rtp(0, 1, 0, 1)
		c.caller.send(c.toA, p)
		c.callee.want(p)
	})
}
