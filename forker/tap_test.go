package forker_test

import (
	"bytes"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pionrtcp "github.com/pion/rtcp"
	pionrtp "github.com/pion/rtp"

	"sidetrack/forker"
)

var pcmu = map[uint8]uint8{0: 0}

func fork(t testing.TB, r *forker.Relay, f forker.Flow) *forker.Tap {
	t.Helper()
	tap, err := r.Fork(0, f, forker.TapConfig{Label: "1", CNAME: "caller@here", Recorder: "main"})
	if err != nil {
		t.Fatalf("Fork: %v", err)
	}
	tap.SetFormats(map[uint8]int{0: 8000, 101: 8000})
	return tap
}

func parse(t testing.TB, b []byte) *pionrtp.Packet {
	t.Helper()
	p := &pionrtp.Packet{}
	if err := p.Unmarshal(b); err != nil {
		t.Fatalf("copy is no RTP: %v", err)
	}
	return p
}

// The copy leaves from the offered port under numbers of its own; marker,
// CSRCs, padding and payload are the source's. The header extension, of which the
// recorder has not been told what it means, is not in it.
func TestTapRewrites(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 96, 101: 97})
		in := &pionrtp.Packet{
			Header: pionrtp.Header{
				Version: 2, Marker: true, Padding: true, PaddingSize: 4, PayloadType: 101, SequenceNumber: 65535, Timestamp: 5, SSRC: 7,
				CSRC: []uint32{1, 2}, Extension: true, ExtensionProfile: 0xbede,
			},
			Payload: []byte("digit"),
		}
		if err := in.SetExtension(3, []byte{9}); err != nil {
			t.Fatal(err)
		}
		b, err := in.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		c.caller.send(c.toA, b)
		c.callee.want(b)
		raw, from := srs.recv()
		if local, _ := tap.Local(); from != local || local.Port()%2 != 0 {
			t.Errorf("copy from %v, offered %v", from, local)
		}
		out := parse(t, raw)
		if out.SSRC == 7 || out.SSRC != tap.Stats().SSRC || out.PayloadType != 97 || !out.Marker {
			t.Errorf("header %v", out.Header)
		}
		raw[1] = b[1]
		copy(raw[2:12], b[2:12])
		in.Extension, in.Extensions = false, nil
		plain, err := in.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw, plain) {
			t.Errorf("besides the numbers:\n got % x\nwant % x", raw, plain)
		}
		next := rtp(0, 0, 165, 7) // wrapped
		c.caller.send(c.toA, next)
		raw, _ = srs.recv()
		two := parse(t, raw)
		if two.SequenceNumber != out.SequenceNumber+1 || two.Timestamp != out.Timestamp+160 || two.PayloadType != 96 || two.Marker {
			t.Errorf("after %v: %v", out.Header, two.Header)
		}
	})
}

// Every reason for which a packet is not copied, counted; the call goes on.
func TestTapDropsAreCounted(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.Buffer = -1
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		pass := func(b []byte) {
			t.Helper()
			c.caller.send(c.toA, b)
			c.callee.want(b)
		}
		pass(rtp(0, 1, 160, 7)) // no-address
		tap.SendTo(srs.addr(), srs.addr(), pcmu)
		pass(rtp(0, 2, 320, 7))
		pass(rtp(101, 3, 480, 7)) // unmapped
		pass([]byte("no RTP"))
		tap.Pause()
		pass(rtp(0, 4, 640, 7)) // paused
		tap.Resume()
		pass(rtp(0, 5, 800, 7))
		pass(rtp(0, 4, 640, 7)) // late
		tap.SendTo(netip.AddrPort{}, netip.AddrPort{}, pcmu)
		pass(rtp(0, 6, 960, 7)) // no-address
		pass([]byte("end"))     // not-rtp; whatever was before it has been copied
		var want forker.Drops
		want[forker.DropNoAddress], want[forker.DropUnmapped], want[forker.DropNotRTP] = 2, 1, 2
		want[forker.DropPaused], want[forker.DropLate] = 1, 1
		eventually(t, "all seen", func() bool { return tap.Stats().In == 9 })
		if s := tap.Stats(); s.Dropped != want || s.Copied != 2 || s.Octets != 2*28 || s.Dropped.Total() != 7 {
			t.Errorf("%+v", s)
		}
		first, _ := srs.recv()
		second, _ := srs.recv()
		a, b := parse(t, first), parse(t, second)
		if b.SequenceNumber != a.SequenceNumber+1 || b.Timestamp != a.Timestamp+480 {
			t.Errorf("%v then %v", a.Header, b.Header)
		}
		srs.silent()
	})
}

// Two taps of one flow and one of the other do not mix.
func TestTapsOfOneRelay(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		flows := []forker.Flow{forker.AB, forker.AB, forker.BA}
		var srs []*peer
		for _, f := range flows {
			p := newPeer(t, srsHost)
			fork(t, c.relay, f).SendTo(p.addr(), netip.AddrPort{}, pcmu)
			srs = append(srs, p)
		}
		c.caller.send(c.toA, rtp(0, 11, 0, 1))
		c.callee.recv()
		c.callee.send(c.toB, rtp(0, 22, 0, 2))
		c.caller.recv()
		for i, want := range []byte{11, 11, 22} {
			if got, _ := srs[i].recv(); got[21] != want {
				t.Errorf("tap %d got packet %d, want %d", i, got[21], want)
			}
			srs[i].silent()
		}
	})
}

// Moving to another recorder keeps SSRC and numbering.
func TestTapMoves(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		one, two, tap := newPeer(t, srsHost), newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(one.addr(), netip.AddrPort{}, pcmu)
		c.caller.send(c.toA, rtp(0, 1, 0, 1))
		raw, _ := one.recv()
		tap.SendTo(two.addr(), netip.AddrPort{}, map[uint8]uint8{0: 99})
		c.caller.send(c.toA, rtp(0, 2, 160, 1))
		moved, _ := two.recv()
		a, b := parse(t, raw), parse(t, moved)
		if b.SSRC != a.SSRC || b.SequenceNumber != a.SequenceNumber+1 || b.Timestamp != a.Timestamp+160 || b.PayloadType != 99 {
			t.Errorf("%v then %v", a.Header, b.Header)
		}
		one.silent()
	})
}

// Once Pause has returned not one packet more leaves, under full load.
func TestPauseIsExact(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		var load sync.WaitGroup
		var stop atomic.Bool
		load.Go(func() {
			for i := uint32(0); !stop.Load(); i++ {
				c.caller.send(c.toA, rtp(0, uint16(i), i*160, 1))
				time.Sleep(20 * time.Microsecond)
			}
		})
		defer load.Wait()
		defer stop.Store(true)
		for round := range 20 {
			srs.recv() // it flows
			tap.Pause()
			left := tap.Stats().Copied
			in := tap.Stats().In
			for { // on loopback what has left is in the receiver's queue already
				if _, _, ok := srs.tryRecv(time.Millisecond); !ok {
					break
				}
			}
			eventually(t, "more coming in", func() bool { return tap.Stats().In > in+20 })
			srs.silent()
			if got := tap.Stats().Copied; got != left {
				t.Fatalf("round %d: %d copies left during the pause", round, got-left)
			}
			tap.Resume()
		}
	})
}

// A recorder that is not there is counted and hurts nobody.
func TestRecorderUnreachable(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		gone, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		at := gone.addr()
		gone.conn.Close()
		tap.SendTo(at, netip.AddrPort{}, pcmu)
		for i := range uint16(10) {
			p := rtp(0, i, 0, 1)
			c.caller.send(c.toA, p)
			c.callee.want(p)
		}
		eventually(t, "all seen", func() bool { return tap.Stats().In == 10 })
		if s := tap.Stats(); s.Unreachable == 0 {
			t.Errorf("%+v", s)
		}
		back := newPeerAt(t, at.String()) // it returns: not a packet is lost on the old error
		before := tap.Stats().Copied
		p := rtp(0, 10, 0, 1)
		c.caller.send(c.toA, p)
		c.callee.want(p)
		back.recv()
		if s := tap.Stats(); s.Copied != before+1 {
			t.Errorf("%+v", s)
		}
	})
}

// A recorder that floods both ports back disturbs nobody.
func TestRecorderFloodsBack(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), srs.addr(), pcmu)
		toRTP, toRTCP := tap.Local()
		var flood sync.WaitGroup
		var stop atomic.Bool
		flood.Go(func() {
			for i := uint16(0); !stop.Load(); i++ {
				srs.send(toRTP, rtp(0, i, 0, 9))
				srs.send(toRTCP, rtp(0, i, 0, 9))
			}
		})
		for i := range uint16(300) {
			p := rtp(0, i, 160*uint32(i), 1)
			c.caller.send(c.toA, p)
			c.callee.want(p)
			srs.recv()
		}
		stop.Store(true)
		flood.Wait()
		report := []byte{0x80, 201, 0, 1, 0, 0, 0, 1}
		eventually(t, "report counted", func() bool {
			srs.send(toRTCP, report) // the flood may still fill the socket
			return tap.Stats().RTCPIn > 0
		})
		c.caller.silent()
		c.callee.silent()
	})
}

// BYE ends the copy's RTCP, with a report that fits what was sent.
func TestTapSaysGoodbye(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, srsRTCP, tap := newPeer(t, srsHost), newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), srsRTCP.addr(), pcmu)
		for i := range uint16(3) {
			c.caller.send(c.toA, rtp(0, i, 160*uint32(i), 1))
			srs.recv()
		}
		c.relay.Close()
		raw, from := srsRTCP.recv()
		if _, local := tap.Local(); from != local {
			t.Errorf("RTCP from %v, offered %v", from, local)
		}
		packets, err := pionrtcp.Unmarshal(raw)
		if err != nil || len(packets) != 3 {
			t.Fatalf("%v %v", packets, err)
		}
		sr, ok := packets[0].(*pionrtcp.SenderReport)
		if !ok || sr.SSRC != tap.Stats().SSRC || sr.PacketCount != 3 || sr.OctetCount != 3*16 {
			t.Errorf("%v", packets[0])
		}
		if at := time.Unix(int64(sr.NTPTime>>32)-2208988800, 0); time.Since(at).Abs() > 5*time.Second {
			t.Errorf("NTP time says %v", at)
		}
		sdes, ok := packets[1].(*pionrtcp.SourceDescription)
		if !ok || sdes.Chunks[0].Source != sr.SSRC || sdes.Chunks[0].Items[0].Text != "caller@here" {
			t.Errorf("%v", packets[1])
		}
		bye, ok := packets[2].(*pionrtcp.Goodbye)
		if !ok || bye.Sources[0] != sr.SSRC {
			t.Errorf("%v", packets[2])
		}
		tap.Close()
		srsRTCP.silent()
		if s := tap.Stats(); s.Copied != 3 || s.RTCPSent != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// What one tap costs when closed in mid-call: the call goes on, the other tap too.
func TestTapClosedInMidCall(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		one, two := newPeer(t, srsHost), newPeer(t, srsHost)
		first, second := fork(t, c.relay, forker.AB), fork(t, c.relay, forker.AB)
		first.SendTo(one.addr(), netip.AddrPort{}, pcmu)
		second.SendTo(two.addr(), netip.AddrPort{}, pcmu)
		first.Close()
		first.Close()
		first.SendTo(one.addr(), one.addr(), pcmu)
		p := rtp(0, 1, 0, 1)
		c.caller.send(c.toA, p)
		c.callee.want(p)
		two.recv()
		one.silent()
	})
}
