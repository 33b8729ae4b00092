package forker_test

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"sidetrack/forker"
)

// What leaves carries the mark of its interface, RTP and RTCP, towards the parties and the
// recorder, over IPv4 and IPv6, and over both from one socket.
func TestDSCP(t *testing.T) {
	for _, both := range []bool{false, true} {
		drivers(t, func(t *testing.T, cfg forker.Config) {
			lo, hi := portRange(2)
			if both {
				cfg.Listen, cfg.Advertise = netip.IPv6Unspecified(), usHost
			}
			cfg.DSCP = 46 // expedited forwarding (RFC 3246)
			cfg.Interfaces = map[string]forker.Interface{"six": {Listen: netip.IPv6Loopback(), PortMin: lo, PortMax: hi, DSCP: 8}}
			e := newEngine(t, cfg)
			r := e.Open()
			r.Use(forker.SideB, "six")
			if err := r.SetStreams(1); err != nil {
				t.Fatal(err)
			}
			caller, callee, srs := newPeer(t, callerHost), newPeerAt(t, "[::1]:0"), newPeer(t, srsHost)
			callerControl, calleeControl, srsControl := newPeer(t, callerHost), newPeerAt(t, "[::1]:0"), newPeer(t, srsHost)
			a, b := audio(caller.addr()), audio(callee.addr())
			a.RTCP, b.RTCP = callerControl.addr(), calleeControl.addr()
			r.SetRemote(forker.SideA, 0, a)
			r.SetRemote(forker.SideB, 0, b)
			tap, err := r.Fork(0, forker.AB, forker.TapConfig{Label: "1", CNAME: "c"})
			if err != nil {
				t.Fatal(err)
			}
			tap.SendTo(srs.addr(), srsControl.addr(), map[uint8]uint8{0: 0})
			toA, controlA := r.Local(forker.SideA, 0)
			toB, controlB := r.Local(forker.SideB, 0)
			for _, p := range []*peer{caller, callee, srs, callerControl, calleeControl, srsControl} {
				p.showMarks()
			}
			caller.send(toA, rtp(0, 1, 160, 7))
			callee.send(toB, rtp(0, 1, 160, 8))
			report := []byte{0x80, 201, 0, 1, 0, 0, 0, 1}
			callerControl.send(controlA, report)
			calleeControl.send(controlB, report)
			eventually(t, "a copy", func() bool { return tap.Stats().Copied == 1 })
			tap.Close() // says BYE
			for name, tt := range map[string]struct {
				at   *peer
				want int
			}{
				"caller": {caller, 46}, "callee": {callee, 8}, "recorder": {srs, 46},
				"caller's RTCP": {callerControl, 46}, "callee's RTCP": {calleeControl, 8}, "recorder's RTCP": {srsControl, 46},
			} {
				if got := tt.at.mark(); got != tt.want {
					t.Errorf("from one socket %v, at the %s: DSCP %d, want %d", both, name, got, tt.want)
				}
			}
		})
	}
}

// The mark of what comes in goes no further: neither to the other party nor to the recorder.
func TestDSCPOfWhatComesInStaysOutside(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs := newPeer(t, srsHost)
		fork(t, c.relay, forker.AB).SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		c.callee.showMarks()
		srs.showMarks()
		raw, err := c.caller.conn.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, 46<<2) }); cerr != nil || err != nil {
			t.Fatal(cerr, err)
		}
		for i := range uint16(3) { // the third by the lane
			c.caller.send(c.toA, rtp(0, i, uint32(i)*160, 7))
			if callee, recorder := c.callee.mark(), srs.mark(); callee != 0 || recorder != 0 {
				t.Errorf("packet %d: DSCP %d at the callee, %d at the recorder", i, callee, recorder)
			}
		}
	})
}

// showMarks has the kernel tell the traffic class of what comes.
func (p *peer) showMarks() {
	p.t.Helper()
	raw, err := p.conn.SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	level, option := unix.IPPROTO_IP, unix.IP_RECVTOS
	if p.addr().Addr().Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, 1) }); cerr != nil || err != nil {
		p.t.Fatal(cerr, err)
	}
}

// mark gives the DSCP of the next datagram.
func (p *peer) mark() int {
	p.t.Helper()
	oob := make([]byte, 256)
	_, n, _, _, err := p.conn.ReadMsgUDPAddrPort(p.buf, oob)
	if err != nil {
		p.t.Fatal(err)
	}
	all, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range all {
		if m.Header.Type == unix.IP_TOS || m.Header.Type == unix.IPV6_TCLASS {
			return int(m.Data[0]) >> 2
		}
	}
	return -1
}
