package forker_test

import (
	"net/netip"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"

	"sidetrack/forker"
)

// pass sends packets from number first to last through the relay, 20 ms of
// PCMU each, and waits until the callee has them.
func (c *call) pass(first, last int) {
	c.caller.t.Helper()
	for i := first; i <= last; i++ {
		p := rtp(0, uint16(i), uint32(i)*160, 1)
		c.caller.send(c.toA, p)
		c.callee.want(p)
	}
}

// sequel receives n copies and checks that each follows the one before.
func (p *peer) sequel(n int) (all []*pionrtp.Packet) {
	p.t.Helper()
	for len(all) < n {
		raw, _ := p.recv()
		all = append(all, parse(p.t, raw))
		if i := len(all) - 1; i > 0 {
			a, b := all[i-1], all[i]
			if b.SequenceNumber != a.SequenceNumber+1 || b.Timestamp != a.Timestamp+160 || b.SSRC != a.SSRC {
				p.t.Fatalf("copy %d: %v after %v", i, b.Header, a.Header)
			}
		}
	}
	return all
}

// source is the number that the source gave to a packet built by rtp.
func source(p *pionrtp.Packet) int { return int(p.Payload[8])<<8 | int(p.Payload[9]) }

func wantSources(t testing.TB, all []*pionrtp.Packet, first int) {
	t.Helper()
	for i, p := range all {
		if source(p) != first+i {
			t.Fatalf("copy %d is the source's %d, want %d", i, source(p), first+i)
		}
	}
}

// What comes before the recorder's address is known arrives, in order, with the
// numbers it would have had, and live packets behind it.
func TestFirstWords(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		c.pass(65500, 65599) // over the wrap of the source
		eventually(t, "all kept", func() bool { return tap.Stats().Buffered == 100 })
		tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 96})
		c.pass(65600, 65609)
		if s := tap.Stats(); s.Buffered == 0 || s.Buffered > 90 {
			t.Errorf("after 10 live packets: %+v", s)
		}
		var got []*pionrtp.Packet
		for i := range 100 {
			raw, _ := srs.recv()
			got = append(got, parse(t, raw))
			if i > 0 && got[i].SequenceNumber != got[i-1].SequenceNumber+1 {
				t.Fatalf("copy %d: %v after %v", i, got[i].Header, got[i-1].Header)
			}
			if got[i].PayloadType != 96 || uint16(source(got[i])) != uint16(65500+i) {
				t.Fatalf("copy %d: %v of source %d", i, got[i].Header, source(got[i]))
			}
		}
		live := srs.sequel(10)
		wantSources(t, live, 64)
		if live[0].SequenceNumber != got[99].SequenceNumber+1 {
			t.Errorf("live ones begin with %v after %v", live[0].Header, got[99].Header)
		}
		eventually(t, "nothing kept", func() bool { s := tap.Stats(); return s.Buffered == 0 && s.Copied == 110 && s.Dropped.Total() == 0 })
	})
}

// While the backlog of one tap leaves, another tap of the same flow sends live:
// neither sees the other's header.
func TestBacklogBesideLiveTap(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		live, late := newPeer(t, srsHost), newPeer(t, srsHost)
		one, two := fork(t, c.relay, forker.AB), fork(t, c.relay, forker.AB)
		one.SendTo(live.addr(), netip.AddrPort{}, map[uint8]uint8{0: 8})
		c.pass(1, 20)
		wantSources(t, live.sequel(20), 1)
		two.SendTo(late.addr(), netip.AddrPort{}, pcmu)
		got := late.sequel(20)
		wantSources(t, got, 1)
		if got[0].SSRC != two.Stats().SSRC || got[0].SSRC == one.Stats().SSRC || got[0].PayloadType != 0 {
			t.Errorf("%v", got[0].Header)
		}
	})
}

// A pause while packets are kept: what came before it is delivered, nothing of
// it, and what comes after joins without a gap in the numbers.
func TestPauseOfABacklog(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		c.pass(1, 10)
		eventually(t, "kept", func() bool { return tap.Stats().Buffered == 10 })
		tap.Pause()
		c.pass(11, 20)
		eventually(t, "seen", func() bool { return tap.Stats().Dropped[forker.DropPaused] == 10 })
		tap.Resume()
		c.pass(21, 22)
		eventually(t, "seen", func() bool { return tap.Stats().In == 22 })
		tap.Pause()
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		before := srs.sequel(10)
		wantSources(t, before, 1)
		after := srs.sequel(2)
		wantSources(t, after, 21)
		if after[0].SequenceNumber != before[9].SequenceNumber+1 || after[0].Timestamp == before[9].Timestamp+160 {
			t.Errorf("%v after %v", after[0].Header, before[9].Header)
		}
		eventually(t, "nothing kept", func() bool { return tap.Stats().Buffered == 0 })
		c.pass(23, 30)
		eventually(t, "paused", func() bool { return tap.Stats().Dropped[forker.DropPaused] == 18 })
		srs.silent()
		tap.Resume()
		c.pass(31, 31)
		last := srs.sequel(1)
		wantSources(t, last, 31)
		if last[0].SequenceNumber != after[1].SequenceNumber+1 {
			t.Errorf("%v after %v", last[0].Header, after[1].Header)
		}
	})
}

// A move to another recorder with a time between loses nothing.
func TestMoveLosesNothing(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		one, two, tap := newPeer(t, srsHost), newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(one.addr(), netip.AddrPort{}, pcmu)
		c.pass(1, 5)
		wantSources(t, one.sequel(5), 1)
		tap.SendTo(netip.AddrPort{}, netip.AddrPort{}, nil)
		c.pass(6, 30)
		eventually(t, "kept", func() bool { return tap.Stats().Buffered == 25 })
		one.silent()
		tap.SendTo(two.addr(), netip.AddrPort{}, pcmu)
		c.pass(31, 32)
		wantSources(t, two.sequel(27), 6)
	})
}

// What the recorder did not take takes no number, also when that is known late.
func TestBacklogLeavesUnmappedOut(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		c.pass(1, 2)
		digit := rtp(101, 3, 480, 1)
		c.caller.send(c.toA, digit)
		c.callee.want(digit)
		c.pass(4, 5)
		eventually(t, "kept", func() bool { return tap.Stats().Buffered == 5 })
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		var last uint16
		for i, want := range []int{1, 2, 4, 5} {
			raw, _ := srs.recv()
			p := parse(t, raw)
			if source(p) != want || i > 0 && p.SequenceNumber != last+1 {
				t.Fatalf("copy %d is the source's %d, numbered %d after %d", i, source(p), p.SequenceNumber, last)
			}
			last = p.SequenceNumber
		}
		eventually(t, "done", func() bool { s := tap.Stats(); return s.Copied == 4 && s.Dropped[forker.DropUnmapped] == 1 })
	})
}

// Taps share the memory of the process. Who finds none drops its oldest, which
// shows as a loss, and closing gives all of it back.
func TestBufferMemoryIsBounded(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.BufferMemory = 8192 // two chunks
		c := newCall(t, newEngine(t, cfg))
		srs := newPeer(t, srsHost)
		greedy := fork(t, c.relay, forker.AB)
		c.pass(1, 1000)
		eventually(t, "full", func() bool { return greedy.Stats().In == 1000 })
		s := greedy.Stats()
		if s.Buffered < 90 || s.Buffered > 190 || s.Dropped[forker.DropBufferFull] != uint64(1000-s.Buffered) {
			t.Fatalf("%+v", s)
		}
		poor := fork(t, c.relay, forker.AB)
		c.pass(1001, 1001)
		eventually(t, "refused", func() bool { return poor.Stats().Dropped[forker.DropBufferFull] == 1 })
		kept := greedy.Stats().Buffered
		greedy.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		wantSources(t, srs.sequel(kept), 1002-kept)
		c.pass(1002, 1003)
		eventually(t, "kept", func() bool { return poor.Stats().Buffered == 2 })
		poor.Close()
		if s := poor.Stats(); s.Buffered != 0 || s.Dropped[forker.DropNoAddress] != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// Nothing is kept longer than Buffer says; what is displaced after the start
// shows as a loss.
func TestBufferIsBoundedInTime(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.Buffer = time.Hour
		c := newCall(t, newEngine(t, cfg))
		srs := newPeer(t, srsHost)
		tap, err := c.relay.Fork(0, forker.AB, forker.TapConfig{Label: "1", Buffer: 60 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		c.pass(1, 1)
		first := srs.sequel(1)
		tap.SendTo(netip.AddrPort{}, netip.AddrPort{}, nil)
		n := 1
		eventually(t, "displaced", func() bool {
			n++
			c.pass(n, n)
			return tap.Stats().Dropped[forker.DropBufferFull] >= 5
		})
		eventually(t, "seen", func() bool { return tap.Stats().In == uint64(n) })
		s := tap.Stats()
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		rest := srs.sequel(s.Buffered)
		wantSources(t, rest, n+1-s.Buffered)
		if lost := rest[0].SequenceNumber - first[0].SequenceNumber - 1; uint64(lost) != s.Dropped[forker.DropBufferFull] {
			t.Errorf("%d numbers missing, %d dropped", lost, s.Dropped[forker.DropBufferFull])
		}
	})
}

// A pause that withholds: what is kept, and what is to be sent again, stays here until Resume, whatever address and whatever
// packets come, and silence does not push it out. Pause instead lets it go.
func TestWithheldBacklog(t *testing.T) {
	for _, mode := range []forker.PauseMode{forker.PauseStop, forker.PauseSilence} {
		drivers(t, func(t *testing.T, cfg forker.Config) {
			c := newCall(t, newEngine(t, cfg))
			srs := newPeer(t, srsHost)
			tap, err := c.relay.Fork(0, forker.AB, forker.TapConfig{Label: "1", Pause: mode, Replay: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			tap.SetCodecs(map[uint8]forker.Codec{0: {Name: "PCMU", Clock: 8000}})
			c.pass(1, 10)
			eventually(t, "kept", func() bool { return tap.Stats().Buffered == 10 })
			tap.Pause() // as for a hold, then an operator comes
			tap.Withhold()
			tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
			c.pass(11, 40)
			eventually(t, "dropped", func() bool { return tap.Stats().Dropped[forker.DropPaused] == 30 })
			srs.silent()
			if n := tap.Stats().Buffered; n != 10 {
				t.Errorf("%d are kept", n)
			}
			tap.Pause() // the operator has gone, the hold lasts
			wantSources(t, srs.sequel(10), 1)
			tap.Resume()
			c.pass(41, 45)
			after := srs.sequel(5)
			wantSources(t, after, 41)

			tap.Rewind()
			c.pass(46, 47)
			tap.Withhold()
			two := newPeer(t, srsHost)
			tap.SendTo(two.addr(), netip.AddrPort{}, pcmu)
			two.silent()
			tap.Resume()
			c.pass(48, 48)
			var got []int
			for range 18 { // all of it again, then what was kept and what came after
				raw, _ := two.recv()
				got = append(got, source(parse(t, raw)))
			}
			if got[0] != 1 || got[14] != 45 || got[15] != 46 || got[17] != 48 {
				t.Errorf("the second recorder got %v", got)
			}

			tap.SendTo(netip.AddrPort{}, netip.AddrPort{}, nil)
			c.pass(49, 52)
			eventually(t, "kept", func() bool { return tap.Stats().Buffered == 4 })
			tap.Withhold()
			tap.Close() // in the pause
			if s := tap.Stats(); s.Dropped[forker.DropWithheld] != 4 || s.Dropped[forker.DropNoAddress]+s.Dropped[forker.DropClosed] != 0 {
				t.Errorf("closed in the pause: %v", s.Dropped)
			}
		})
	}
}
