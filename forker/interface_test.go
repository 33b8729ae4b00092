package forker_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"sidetrack/forker"
)

// A call between an IPv4 and an IPv6 network, recorded over a third: each side is
// told the address and ports of its own, and all hear each other.
func TestInterfaces(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		six, _ := portRange(2)
		records, _ := portRange(2)
		cfg.Interfaces = map[string]forker.Interface{
			"six":     {Listen: netip.IPv6Loopback(), PortMin: six, PortMax: six + 3},
			"records": {Listen: netip.MustParseAddr("127.0.0.9"), Advertise: netip.MustParseAddr("192.0.2.9"), PortMin: records, PortMax: records + 3},
		}
		e := newEngine(t, cfg)
		r := e.Open()
		r.Use(forker.SideB, "six")
		if err := r.SetStreams(1); err != nil {
			t.Fatal(err)
		}
		a, _ := r.Local(forker.SideA, 0)
		b, control := r.Local(forker.SideB, 0)
		if a.Addr() != cfg.Listen || b.Addr() != netip.IPv6Loopback() || int(b.Port()) < six || int(b.Port()) > six+3 || control.Port() != b.Port()+1 {
			t.Errorf("told %v and %v, %v", a, b, control)
		}
		caller, callee, srs := newPeer(t, callerHost), newPeerAt(t, "[::1]:0"), newPeer(t, srsHost)
		r.SetRemote(forker.SideA, 0, audio(caller.addr()))
		r.SetRemote(forker.SideB, 0, audio(callee.addr()))
		tap, err := r.Fork(0, forker.AB, forker.TapConfig{Label: "1", Interface: "records"})
		if err != nil {
			t.Fatal(err)
		}
		if from, _ := tap.Local(); from.Addr() != netip.MustParseAddr("192.0.2.9") || int(from.Port()) < records || int(from.Port()) > records+3 {
			t.Errorf("the copy is told to come from %v", from)
		}
		tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 0})

		there := rtp(0, 1, 160, 7)
		caller.send(a, there)
		if got, from := callee.recv(); !bytes.Equal(got, there) || from != b {
			t.Errorf("the IPv6 side got % x from %v, want % x from %v", got, from, there, b)
		}
		if _, from := srs.recv(); from.Addr() != netip.MustParseAddr("127.0.0.9") {
			t.Errorf("the copy came from %v", from)
		}
		back := rtp(0, 1, 160, 8)
		callee.send(b, back)
		if got, from := caller.recv(); !bytes.Equal(got, back) || from != a {
			t.Errorf("the IPv4 side got % x from %v", got, from)
		}
		if p := e.Ports(); p.Used != 6 {
			t.Errorf("%+v", p)
		}
		r.Close()
	})
}

// A side whose party is sought elsewhere gets ports of another interface: the copies go on, nothing is heard by the
// former ports, and where the other interface has none left all stays as it is.
func TestMoveToAnotherInterface(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		six, last := portRange(1)
		cfg.Interfaces = map[string]forker.Interface{"six": {Listen: netip.IPv6Loopback(), PortMin: six, PortMax: last}}
		e := newEngine(t, cfg)
		r := e.Open()
		if err := r.SetStreams(1); err != nil {
			t.Fatal(err)
		}
		caller, early, callee, srs := newPeer(t, callerHost), newPeer(t, calleeHost), newPeerAt(t, "[::1]:0"), newPeer(t, srsHost)
		r.SetRemote(forker.SideA, 0, audio(caller.addr()))
		r.SetRemote(forker.SideB, 0, audio(early.addr()))
		tap, err := r.Fork(0, forker.AB, forker.TapConfig{Label: "1"})
		if err != nil {
			t.Fatal(err)
		}
		tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 0})
		a, _ := r.Local(forker.SideA, 0)
		caller.send(a, rtp(0, 1, 160, 7))
		early.recv()
		srs.recv()
		if r.Reaches(forker.SideB, 0, netip.IPv6Loopback()) {
			t.Error("an IPv4 socket reaches IPv6")
		}
		if err := r.Move(forker.SideB, "six"); err != nil {
			t.Fatal(err)
		}
		if !r.Reaches(forker.SideB, 0, netip.IPv6Loopback()) || r.Reaches(forker.SideB, 0, early.addr().Addr()) {
			t.Error("an IPv6 socket does not reach IPv6, or reaches IPv4")
		}
		b, _ := r.Local(forker.SideB, 0)
		if int(b.Port()) != six {
			t.Errorf("moved to %v", b)
		}
		r.SetRemote(forker.SideB, 0, audio(callee.addr()))
		caller.send(a, rtp(0, 2, 320, 7))
		if _, from := callee.recv(); from != b {
			t.Errorf("it came from %v", from)
		}
		srs.recv()
		callee.send(b, rtp(0, 1, 160, 8))
		caller.recv()
		other := e.Open()
		if err := other.SetStreams(1); err != nil {
			t.Fatal(err)
		}
		before, _ := other.Local(forker.SideB, 0)
		if err := other.Move(forker.SideB, "six"); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("moved where there are no ports: %v", err)
		}
		if after, _ := other.Local(forker.SideB, 0); after != before {
			t.Errorf("%v is %v now", before, after)
		}
		r.Close()
		other.Close()
		if p := e.Ports(); p.Used != 0 {
			t.Errorf("%+v", p)
		}
	})
}

// Each interface has its own range: when one has no more ports, the others do.
func TestInterfacesRunOutAlone(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		lo, hi := portRange(1)
		cfg.Interfaces = map[string]forker.Interface{"small": {Listen: usHost, PortMin: lo, PortMax: hi}}
		e := newEngine(t, cfg)
		first, second, third := e.Open(), e.Open(), e.Open()
		first.Use(forker.SideA, "small")
		second.Use(forker.SideA, "small")
		if err := first.SetStreams(1); err != nil {
			t.Fatal(err)
		}
		if err := second.SetStreams(1); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second call on one pair: %v", err)
		}
		if err := third.SetStreams(1); err != nil {
			t.Errorf("the first interface: %v", err)
		}
	})
}

func TestInterfaceMistakes(t *testing.T) {
	_, err := forker.New(forker.Config{Listen: usHost, PortMin: 12000, PortMax: 12001, DSCP: 64, Interfaces: map[string]forker.Interface{
		"x": {Listen: netip.IPv4Unspecified(), PortMin: 9, PortMax: 9},
	}})
	for _, want := range []string{"dscp 64", `interface "x": advertise`, "ports 9-9"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// A copy moves to a recorder of the other family, and back, and on, by the one socket at :: that reaches both.
func TestCopyMovesBetweenFamilies(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		lo, hi := portRange(3)
		cfg.Interfaces = map[string]forker.Interface{"wild": {Listen: netip.IPv6Unspecified(), Advertise: usHost, PortMin: lo, PortMax: hi}}
		c := newCall(t, newEngine(t, cfg))
		tap, err := c.relay.Fork(0, forker.AB, forker.TapConfig{Label: "1", Interface: "wild"})
		if err != nil {
			t.Fatal(err)
		}
		seq := uint16(0)
		for _, srs := range []*peer{newPeer(t, srsHost), newPeerAt(t, "[::1]:0"), newPeer(t, srsHost), newPeer(t, natHost)} {
			tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
			for range 3 {
				p := rtp(0, seq, 160*uint32(seq), 1)
				c.caller.send(c.toA, p)
				c.callee.want(p)
				if got, from := srs.recv(); got[21] != p[21] || int(from.Port()) < lo || int(from.Port()) > hi {
					t.Fatalf("%v got % x from %v", srs.addr(), got, from)
				}
				seq++
			}
		}
	})
}

// What a party wants sent to a port of its own call, or to a group of hosts, goes nowhere: it would come in there as the
// party's own, and where both parties want it go round for ever.
func TestNothingIsSentToTheRelayItself(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		r := openRelay(t, e)
		a, _ := r.Local(forker.SideA, 0)
		b, control := r.Local(forker.SideB, 0)
		caller := newPeer(t, callerHost)
		r.SetRemote(forker.SideA, 0, audio(caller.addr()))
		flows := func() [2]forker.FlowStats { return r.Stats().Streams[0].Flows }
		for i, remote := range []forker.Remote{
			audio(b), audio(a), audio(control), audio(netip.MustParseAddrPort("239.1.2.3:5004")), audio(netip.MustParseAddrPort("[ff15::5]:5004")),
			audio(netip.MustParseAddrPort("255.255.255.255:5004")),
		} {
			r.SetRemote(forker.SideB, 0, remote)
			caller.send(a, rtp(0, uint16(i), 160, 7))
			eventually(t, "the packet is dropped", func() bool { return flows()[forker.AB].Packets == uint64(i+1) })
			if f := flows(); f[forker.AB].Unroutable != uint64(i+1) || f[forker.AB].SendErrors != 0 || f[forker.BA].Packets+f[forker.BA].Strangers != 0 {
				t.Errorf("to %v: %+v", remote.RTP, f)
			}
		}
		// Its RTCP alone goes nowhere; media do.
		callee := newPeer(t, calleeHost)
		there := audio(callee.addr())
		there.RTCP = b
		r.SetRemote(forker.SideB, 0, there)
		_, toControl := r.Local(forker.SideA, 0)
		caller.send(a, rtp(0, 9, 160, 7))
		callee.want(rtp(0, 9, 160, 7))
		dropped := flows()[forker.AB].Unroutable
		control2 := newPeer(t, callerHost)
		there = audio(caller.addr())
		there.RTCP = control2.addr()
		r.SetRemote(forker.SideA, 0, there)
		control2.send(toControl, []byte{0x80, 201, 0, 1, 0, 0, 0, 7})
		eventually(t, "the report is dropped", func() bool { return flows()[forker.AB].Unroutable == dropped+1 })
	})
}
