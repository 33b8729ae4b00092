package scenario_test

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// A target that swallows SYNs costs its probe once, 300 ms; after that it is known to want UDP.
func TestSwallowedSynCostsOnce(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}, timeout: "5s"})
	swallowSYNs(t, st.srs().Addr())
	var waits []time.Duration // from the call's first INVITE on
	for n := range 4 {
		from, watch := time.Now(), peer.StartStopwatch(t)
		c := st.establish(dialing{quiet: true})
		rs := st.srs().Accept()
		if waits = append(waits, watch.Took()); n == 0 {
			waits[0] = time.Since(from)
		}
		if rs.Invite.Network() != "udp" {
			t.Errorf("the INVITE came over %s", rs.Invite.Network())
		}
		c.hangUp()
		rs.End()
	}
	t.Logf("waited %v", waits)
	if waits[0] < 300*time.Millisecond {
		t.Errorf("the first call did not try TCP: %v", waits[0])
	}
	if min(waits[1], waits[2], waits[3]) > 250*time.Millisecond {
		t.Errorf("the outcome was not remembered: %v", waits)
	}
}

// swallowSYNs listens on the address with a full queue that nobody accepts from: the kernel drops further SYNs.
func swallowSYNs(t *testing.T, at netip.AddrPort) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(os.NewSyscallError("socket", err))
	}
	syscall.CloseOnExec(fd)
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		t.Fatal(os.NewSyscallError("bind", err))
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(os.NewSyscallError("listen", err))
	}
	for range 8 { // until one is not taken any more
		conn, err := net.DialTimeout("tcp", at.String(), 150*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the listener's queue does not fill")
}
