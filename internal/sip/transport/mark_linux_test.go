package transport_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sidetrack/internal/sip/transport"
)

// What leaves over UDP bears the code point of the configuration, of both families; without one the system's. Another counts
// for the sockets that are open.
func TestDSCPOverUDP(t *testing.T) {
	for _, tt := range []struct {
		host        string
		dscp, later int
	}{{"127.0.0.1", 24, 46}, {"[::1]", 26, 0}, {"127.0.0.1", 0, 10}} {
		r := newRig(t, transport.Config{DSCP: tt.dscp})
		l := r.listen("udp://" + tt.host + ":0")
		pc, err := net.ListenPacket("udp", tt.host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		c := pc.(*net.UDPConn)
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var e4, e6 error
		if err := raw.Control(func(fd uintptr) {
			e4 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVTOS, 1)
			e6 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1)
		}); err != nil || e4 != nil && e6 != nil {
			t.Fatal(err, e4, e6)
		}
		wantMark(t, r, l, c, tt.dscp)
		r.SetDSCP(tt.later)
		wantMark(t, r, l, c, tt.later)
	}
}

// wantMark has a datagram sent by l and looks what c finds on it.
func wantMark(t *testing.T, r *rig, l *transport.Listener, c *net.UDPConn, want int) {
	t.Helper()
	if err := r.Send(transport.Flow{Proto: "udp", Listener: l, Remote: addrPort(c.LocalAddr())}, []byte("x")); err != nil {
		t.Fatal(err)
	}
	oob := make([]byte, 256)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, n, _, _, err := c.ReadMsgUDPAddrPort(make([]byte, 100), oob)
	if err != nil {
		t.Fatal(err)
	}
	all, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		t.Fatal(err)
	}
	got := -1
	for _, m := range all {
		if m.Header.Type == unix.IP_TOS || m.Header.Type == unix.IPV6_TCLASS {
			got = int(m.Data[0]) >> 2
		}
	}
	if got != want {
		t.Errorf("from %v: DSCP %d, want %d", l.Bound, got, want)
	}
}

// The same over connections, those that we make and those that we take, from their first packet on: read off the wire.
// Another code point counts for those that are open, and for the next.
func TestDSCPOverTCP(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_TCP)
	if errors.Is(err, unix.EPERM) {
		t.Skip("needs root to read packets with their headers")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)}); err != nil {
		t.Fatal(err)
	}
	// marks reads packets until one from each of these ports to the other has data, and tells the DSCP of all of them.
	marks := func(from, to netip.AddrPort) map[int]int {
		t.Helper()
		seen, buf := map[int]int{}, make([]byte, 65536)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				t.Fatalf("%v; seen %v", err, seen)
			}
			head := int(buf[0]&15) * 4
			if n < head+20 || binary.BigEndian.Uint16(buf[head:]) != from.Port() || binary.BigEndian.Uint16(buf[head+2:]) != to.Port() {
				continue
			}
			seen[int(buf[1])>>2]++
			if n > head+int(buf[head+12]>>4)*4 {
				return seen
			}
		}
	}
	r := newRig(t, transport.Config{DSCP: 24})
	l := r.listen("tcp://127.0.0.1:0")

	c := dialled(t, l)
	if _, err := c.Write([]byte("\r\n\r\n")); err != nil { // asks for a pong
		t.Fatal(err)
	}
	if seen := marks(l.Bound, addrPort(c.LocalAddr())); len(seen) != 1 || seen[24] < 2 {
		t.Errorf("a connection that we took: packets by DSCP: %v", seen)
	}

	nl := peer(t)
	made := func() (transport.Flow, net.Conn) {
		res := dial(r, transport.Flow{Proto: "tcp", Listener: l, Remote: addrPort(nl.Addr())}, "", 0)
		if res.err != nil {
			t.Fatal(res.err)
		}
		in, err := nl.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close() })
		return res.flow, in
	}
	flow, in := made()
	if err := r.Send(flow, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if seen := marks(addrPort(in.RemoteAddr()), addrPort(nl.Addr())); len(seen) != 1 || seen[24] < 2 {
		t.Errorf("a connection that we made: packets by DSCP: %v", seen)
	}

	r.SetDSCP(46)
	for what, c := range map[string]net.Conn{"open": c, "new": dialled(t, l)} {
		if _, err := c.Write([]byte("\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if seen := marks(l.Bound, addrPort(c.LocalAddr())); seen[46] == 0 || what == "new" && len(seen) != 1 {
			t.Errorf("after a change, a connection that we took, %s: packets by DSCP: %v", what, seen)
		}
	}
	if err := r.Send(flow, []byte("y")); err != nil {
		t.Fatal(err)
	}
	if seen := marks(addrPort(in.RemoteAddr()), addrPort(nl.Addr())); seen[46] == 0 {
		t.Errorf("after a change, a connection that we made: packets by DSCP: %v", seen)
	}
}
