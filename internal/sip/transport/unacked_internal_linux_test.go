package transport

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeout is what the kernel goes by on a connection.
func userTimeout(t *testing.T, c *conn) time.Duration {
	t.Helper()
	n := -1
	if err := c.socket().Control(func(fd uintptr) { n, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * time.Millisecond
}

// die has a connection's end take nothing in any more, acknowledgements included, as that of a machine without power.
func die(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	program := unix.SockFprog{Len: 1, Filter: &drop}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

// both are our ends of a connection that we take and of one that we make, with those of the peer.
func both(t *testing.T, layer *Layer) map[*conn]net.Conn {
	t.Helper()
	l, err := layer.Listen("tcp://127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	nl, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer nl.Close()
	caller, err := net.Dial("tcp", l.Bound.String())
	if err != nil {
		t.Fatal(err)
	}
	made := make(chan error, 1)
	layer.Dial(Flow{Proto: "tcp", Listener: l, Remote: nl.Addr().(*net.TCPAddr).AddrPort()}, 0, func(_ Flow, err error) { made <- err })
	callee, err := nl.Accept()
	if err = errors.Join(err, <-made); err != nil {
		t.Fatal(err)
	}
	ends := map[*conn]net.Conn{}
	for deadline := time.Now().Add(time.Minute); len(ends) < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connections are not there")
		}
		layer.mu.RLock()
		for _, c := range layer.conns {
			ends[c] = callee
			if c.inbound {
				ends[c] = caller
			}
		}
		layer.mu.RUnlock()
	}
	t.Cleanup(func() { caller.Close(); callee.Close() })
	return ends
}

// A peer that goes without a word ends the connection as soon as something that was written has not been acknowledged for
// a while; the kernel alone would take a quarter of an hour.
func TestUnacknowledgedConnectionsEnd(t *testing.T) {
	t.Parallel()
	layer := New(Config{AckTimeout: 300 * time.Millisecond})
	defer layer.Close()
	failures := make(chan Failure, 10)
	layer.Watch(Events{Failed: func(f Failure) { failures <- f }})
	for c, end := range both(t, layer) {
		die(t, end)
		if err := layer.Send(c.flow, []byte("x")); err != nil {
			t.Fatal(err)
		}
		select {
		case f := <-failures:
			if f.Flow != c.flow || !errors.Is(f.Err, unix.ETIMEDOUT) {
				t.Errorf("inbound %t: %+v", c.inbound, f)
			}
		case <-time.After(time.Minute):
			t.Fatalf("inbound %t: the connection is still there", c.inbound)
		}
	}
}

// The kernel's patience is short only while something may be on its way: keep-alives go by the same setting.
func TestSilentConnectionsHaveTheirKeepAlives(t *testing.T) {
	t.Parallel()
	layer := New(Config{AckTimeout: 100 * time.Millisecond})
	defer layer.Close()
	for c, end := range both(t, layer) {
		if d := userTimeout(t, c); d != 0 {
			t.Errorf("inbound %t: %v before something is sent", c.inbound, d)
		}
		for deadline := time.Now().Add(time.Minute); ; { // again where the machine was so slow that it is over already
			if err := layer.Send(c.flow, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := end.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if d := userTimeout(t, c); d == 100*time.Millisecond {
				break
			} else if d != 0 || time.Now().After(deadline) {
				t.Fatalf("inbound %t: %v while something is on its way", c.inbound, d)
			}
		}
	}
	layer.mu.RLock()
	defer layer.mu.RUnlock()
	for _, c := range layer.conns {
		for deadline := time.Now().Add(time.Minute); userTimeout(t, c) != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("inbound %t: %v in silence", c.inbound, userTimeout(t, c))
			}
		}
	}
}
