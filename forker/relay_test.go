package forker_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"sidetrack/forker"
)

// Datagrams of every shape pass bit for bit, both ways, from the advertised port.
func TestRelayBitExact(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		rnd := rand.New(rand.NewPCG(1, 2))
		shapes := [][]byte{
			rtp(0, 65535, 1, 7), rtp(0, 0, 161, 7), rtp(0x80|101, 3, 400, 9),
			{0x80}, {}, []byte("\x00\x01\x00\x00\x21\x12\xa4\x42stun or so"),
			append(rtp(0, 1, 2, 3), make([]byte, 8000)...),
			append([]byte{0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0}, "extended"...),
		}
		for range 50 {
			b := rtp(uint8(rnd.IntN(64)), uint16(rnd.Uint32()), rnd.Uint32(), rnd.Uint32())
			shapes = append(shapes, append(b, make([]byte, rnd.IntN(1400))...))
		}
		// the portable driver gives up the first datagram above its usual size
		c.caller.send(c.toA, make([]byte, 9000))
		c.caller.send(c.toA, []byte("after"))
		for {
			if b, _ := c.callee.recv(); string(b) == "after" {
				break
			}
		}
		c.callee.send(c.toB, make([]byte, 9000))
		c.callee.send(c.toB, []byte("after"))
		for {
			if b, _ := c.caller.recv(); string(b) == "after" {
				break
			}
		}
		for i, b := range shapes {
			c.caller.send(c.toA, b)
			got, from := c.callee.recv()
			if !bytes.Equal(got, b) || from != c.toB {
				t.Fatalf("shape %d to callee: % x from %v", i, got, from)
			}
			c.callee.send(c.toB, b)
			got, from = c.caller.recv()
			if !bytes.Equal(got, b) || from != c.toA {
				t.Fatalf("shape %d to caller: % x from %v", i, got, from)
			}
		}
	})
}

func TestRelayCountsFlows(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		for i := range 3 {
			b := rtp(0, uint16(i), 0, 1)
			c.caller.send(c.toA, b)
			c.callee.want(b)
		}
		ab, ba := c.flow(forker.AB), c.flow(forker.BA)
		if ab.Packets != 3 || ab.Octets != 3*28 || ab.Last.IsZero() || !ab.Latched || ab.Remote != c.caller.addr() {
			t.Errorf("AB: %+v", ab)
		}
		if ba.Packets != 0 || ba.Latched || !ba.Last.IsZero() || ba.Remote != c.callee.addr() {
			t.Errorf("BA: %+v", ba)
		}
	})
}

func TestOpaqueStreamBesideAudio(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		r := openRelay(t, newEngine(t, cfg))
		if err := r.SetStreams(2); err != nil {
			t.Fatal(err)
		}
		a, b := newPeer(t, callerHost), newPeer(t, calleeHost)
		r.SetRemote(forker.SideA, 1, forker.Remote{RTP: a.addr(), Sends: true})
		r.SetRemote(forker.SideB, 1, forker.Remote{RTP: b.addr(), Sends: true})
		to, _ := r.Local(forker.SideA, 1)
		for i := range 5 {
			udptl := []byte{0, byte(i), 1, 6, 0}
			a.send(to, udptl)
			b.want(udptl)
		}
		if n := r.Stats().Streams[1].Flows[forker.AB].Packets; n != 5 {
			t.Errorf("packets %d, want 5", n)
		}
	})
}

// RTCP crosses between every combination of rtcp-mux on the two sides.
func TestRTCPMux(t *testing.T) {
	sender := []byte{0x80, 200, 0, 6, 27: 9}
	extended := []byte{0x80, 207, 0, 5, 0, 0, 0, 9, 4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0}
	reports := [][]byte{ // each as it came
		sender,
		append(slices.Clone(sender), 0x81, 202, 0, 3, 0, 0, 0, 9, 1, 2, 'a', 'b', 0, 0, 0, 0), // compound: with a CNAME
		append(slices.Clone(sender), extended...),                                             // and with a receiver reference time (RFC 3611 §4.4)
		extended,
		{0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, 8},             // reduced size (RFC 5506): picture loss
		{0x81, 205, 0, 3, 0, 0, 0, 9, 0, 0, 0, 8, 0, 1, 0, 0}, // generic NACK
		{0x81, 203, 0, 1, 0, 0, 0, 9},                         // BYE
	}
	for _, mux := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		t.Run(fmt.Sprint(mux), func(t *testing.T) {
			drivers(t, func(t *testing.T, cfg forker.Config) {
				r := openRelay(t, newEngine(t, cfg))
				var media, control [2]*peer
				for side, host := range []string{callerHost, calleeHost} {
					media[side], control[side] = newPeer(t, host), newPeer(t, host)
					remote := audio(media[side].addr())
					remote.RTCP, remote.Mux = control[side].addr(), mux[side]
					if mux[side] {
						control[side], remote.RTCP = media[side], netip.AddrPort{}
					}
					r.SetRemote(forker.Side(side), 0, remote)
				}
				for side := range media {
					to, toControl := r.Local(forker.Side(side), 0)
					if mux[side] {
						toControl = to
					}
					far := control[1-side]
					wantRTP, wantFrom := r.Local(forker.Side(1-side), 0)
					if mux[1-side] {
						wantFrom = wantRTP
					}
					for _, report := range reports {
						control[side].send(toControl, report)
						if got, from := far.recv(); !bytes.Equal(got, report) || from != wantFrom {
							t.Errorf("side %d: % x from %v, want % x from %v", side, got, from, report, wantFrom)
						}
					}
					if f := r.Stats().Streams[0].Flows[side]; f.RTCP != uint64(len(reports)) || f.Packets != 0 {
						t.Errorf("side %d: %+v", side, f)
					}
				}
			})
		})
	}
}

// A party whose offer of rtcp-mux was not taken up sends from its RTCP port,
// and gets the other's RTCP there.
func TestRTCPMuxOfferedOnly(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		r := openRelay(t, newEngine(t, cfg))
		a, aControl := newPeer(t, callerHost), newPeer(t, callerHost)
		b, bControl := newPeer(t, calleeHost), newPeer(t, calleeHost)
		remote := audio(a.addr())
		remote.RTCP, remote.Mux = aControl.addr(), true
		r.SetRemote(forker.SideA, 0, remote)
		remote = audio(b.addr())
		remote.RTCP = bControl.addr()
		r.SetRemote(forker.SideB, 0, remote)
		report := []byte{0x80, 201, 0, 1, 0, 0, 0, 1}
		_, toA := r.Local(forker.SideA, 0)
		_, toB := r.Local(forker.SideB, 0)
		bControl.send(toB, report) // before the caller has sent any
		aControl.want(report)
		aControl.send(toA, report)
		bControl.want(report)
		bControl.send(toB, report)
		aControl.want(report)
	})
}

// Hold by 0.0.0.0: nothing is sent there, the other way goes on, and the latch
// outlives it. Port 0 closes the side altogether.
func TestZeroAddressAndDisabled(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		one, two := rtp(0, 1, 0, 1), rtp(0, 2, 0, 1)
		held := audio(netip.AddrPortFrom(netip.IPv4Unspecified(), c.callee.addr().Port()))
		c.relay.SetRemote(forker.SideB, 0, held)
		c.callee.send(c.toB, one)
		c.caller.want(one)
		c.caller.send(c.toA, one)
		eventually(t, "unroutable counted", func() bool { return c.flow(forker.AB).Unroutable == 1 })
		c.callee.silent()
		c.relay.SetRemote(forker.SideB, 0, audio(c.callee.addr()))
		c.caller.send(c.toA, two)
		c.callee.want(two)

		c.relay.SetRemote(forker.SideB, 0, forker.Remote{RTP: c.callee.addr(), Disabled: true, RTPKind: true})
		c.callee.send(c.toB, two)
		eventually(t, "early counted", func() bool { return c.flow(forker.BA).Early == 1 })
		c.caller.silent()
	})
}

func TestIPv6(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.Listen = netip.IPv6Unspecified()
		cfg.Advertise = netip.IPv6Loopback()
		r := openRelay(t, newEngine(t, cfg))
		a, b := newPeerAt(t, "[::1]:0"), newPeer(t, calleeHost)
		r.SetRemote(forker.SideA, 0, audio(a.addr()))
		r.SetRemote(forker.SideB, 0, audio(b.addr()))
		toA, _ := r.Local(forker.SideA, 0)
		toB, _ := r.Local(forker.SideB, 0)
		p := rtp(0, 1, 2, 3)
		a.send(toA, p)
		b.want(p)
		b.send(netip.AddrPortFrom(usHost, toB.Port()), p) // an IPv4 party on the same sockets
		a.want(p)
	})
}
