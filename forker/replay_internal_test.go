package forker

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

const tick = int64(20 * time.Millisecond) // one step of a rig

// newReplayRig is a rig whose tap keeps what it has sent for a minute.
func newReplayRig(memory int64) *rig {
	g := newRig()
	g.relay.engine.store.limit = memory
	g.tap.backlog = backlog{store: &g.relay.engine.store, limit: int64(time.Minute)}
	g.tap.replay = replay{store: &g.relay.engine.store, limit: int64(time.Minute)}
	g.relay.engine.hasty.Store(1 << 40)
	return g
}

// say sends n packets of the caller.
func (g *rig) say(n int) {
	for range n {
		g.step()
	}
}

// moved loses the recorder and gives the tap another, as Rewind and SendTo do.
func (g *rig) moved(meanwhile int) {
	to := g.tap.rtp
	g.tap.rtp = netip.AddrPort{}
	g.tap.replay.rewind()
	g.say(meanwhile)
	g.tap.rtp = to
}

// A recorder that is lost is followed by one that gets what left from two
// seconds before the last sign of life on, numbered as it was, and then the
// rest, without a step in numbers or timestamps.
func TestReplay(t *testing.T) {
	g := newReplayRig(1 << 20)
	var seqs []uint16
	var stamps []uint32
	g.copies.each = func(b []byte) {
		seqs = append(seqs, binary.BigEndian.Uint16(b[2:]))
		stamps = append(stamps, binary.BigEndian.Uint32(b[4:]))
	}
	g.say(500)
	g.tap.replay.confirm(g.now)
	g.say(150)
	last := len(seqs)
	g.moved(50)
	if len(seqs) != last {
		t.Fatal("sent without an address")
	}
	g.say(200)
	again := seqs[last:]
	if first := seqs[500-100-1]; again[0] != first && again[0] != first+1 {
		t.Errorf("begins with %d, two seconds before the sign of life it was %d", again[0], first)
	}
	for i := range again[1:] {
		if again[i+1] != again[i]+1 || stamps[last+i+1] != stamps[last+i]+160 {
			t.Fatalf("copy %d: %d %d after %d %d", i+1, again[i+1], stamps[last+i+1], again[i], stamps[last+i])
		}
	}
	if newest := uint16(g.tap.nums.high); again[len(again)-1] != newest {
		t.Errorf("ends with %d, the newest is %d", again[len(again)-1], newest)
	}
	c := g.tap.counts
	if c.in != 900 || c.copied-c.again != 900 || int(c.again) != len(seqs)-900 || g.tap.replay.forgone != 0 {
		t.Errorf("%+v, %d forgone", c, g.tap.replay.forgone)
	}
}

// Payload types are those of the recorder that gets it; what it does not take
// is left out.
func TestReplayGoesByTheNewPayloadTypes(t *testing.T) {
	g := newReplayRig(1 << 20)
	g.say(10)
	g.tap.pt[0] = 96
	var types []byte
	g.copies.each = func(b []byte) { types = append(types, b[1]) }
	g.moved(0)
	g.say(10)
	g.tap.pt[0] = 97
	g.moved(0)
	g.say(20)
	if len(types) != 20+40 || types[0] != 96 || types[19] != 96 || types[20] != 97 || types[59] != 97 {
		t.Errorf("%d: %v", len(types), types)
	}
	g.tap.pt[0] = unmapped
	g.moved(0)
	g.say(20)
	if len(types) != 60 || g.tap.replay.ahead != 0 {
		t.Errorf("%d sent, %d left", len(types), g.tap.replay.ahead)
	}
}

// A second loss while things are sent again loses nothing either.
func TestReplayOfAReplay(t *testing.T) {
	g := newReplayRig(1 << 20)
	g.say(300)
	g.moved(20)
	g.say(10) // some forty leave again
	g.tap.replay.confirm(g.now)
	before := g.tap.replay.ahead
	if before == 0 || g.tap.replay.n != 300 {
		t.Fatalf("%d to be sent, %d kept", before, g.tap.replay.n)
	}
	var seqs []uint16
	g.copies.each = func(b []byte) { seqs = append(seqs, binary.BigEndian.Uint16(b[2:])) }
	g.moved(0)
	g.say(300)
	for i := range seqs[1:] {
		if seqs[i+1] != seqs[i]+1 {
			t.Fatalf("%d after %d", seqs[i+1], seqs[i])
		}
	}
	if len(seqs) != 300+20+10+300 || g.tap.replay.forgone != 0 {
		t.Errorf("%d copies, %d forgone", len(seqs), g.tap.replay.forgone)
	}
}

// What is at risk and cannot be sent again is counted to the packet: it left
// after the last sign of life and was not kept, or nobody took it.
func TestReplayCountsWhatIsAtRisk(t *testing.T) {
	atRisk := func(g *rig) uint64 { return g.tap.replay.forgone }
	t.Run("not kept", func(t *testing.T) {
		g := newReplayRig(1 << 20)
		g.tap.replay.limit = 0
		g.say(100)
		g.tap.replay.confirm(g.now)
		g.say(70)
		g.moved(10)
		g.say(100)
		if n := atRisk(g); n != 70 {
			t.Errorf("%d", n)
		}
	})
	t.Run("too old", func(t *testing.T) {
		g := newReplayRig(1 << 20)
		g.tap.replay.limit = 50 * tick
		g.say(100)
		g.tap.replay.confirm(g.now + 1)
		g.say(70)
		g.moved(10)
		if n := atRisk(g); n != 70-uint64(g.tap.replay.n) || n < 15 || n > 25 {
			t.Errorf("%d, %d kept", n, g.tap.replay.n)
		}
	})
	t.Run("nobody took it", func(t *testing.T) {
		g := newReplayRig(1 << 20)
		g.say(100)
		g.tap.replay.confirm(g.now + 1)
		g.say(70)
		g.moved(10)
		g.tap.rtp = netip.AddrPort{}
		g.tap.discard()
		if n := atRisk(g); n != 70 || g.tap.counts.dropped[DropNoAddress] != 10 || g.relay.engine.store.used.Load() != 0 {
			t.Errorf("%d, %+v", n, g.tap.counts)
		}
	})
	t.Run("a call's usual end", func(t *testing.T) {
		g := newReplayRig(1 << 20)
		g.say(100)
		g.tap.discard()
		if n := atRisk(g); n != 0 || g.relay.engine.store.used.Load() != 0 {
			t.Errorf("%d", n)
		}
	})
}

// Memory: what was sent takes half of it at most, and gives way to what was not.
func TestReplayGivesWay(t *testing.T) {
	g := newReplayRig(16 * chunkSize)
	g.say(1000)
	if used := g.relay.engine.store.used.Load(); used > 8*chunkSize || used < 7*chunkSize {
		t.Errorf("%d bytes", used)
	}
	kept := g.tap.replay.n
	g.moved(150)
	if g.tap.backlog.n != 150 || g.tap.replay.n != kept {
		t.Errorf("%d and %d kept", g.tap.backlog.n, g.tap.replay.n)
	}
	g.moved(150)
	if g.tap.backlog.n != 300 || g.tap.replay.n >= kept || g.tap.counts.dropped[DropBufferFull] != 0 {
		t.Errorf("%d and %d kept, %+v", g.tap.backlog.n, g.tap.replay.n, g.tap.counts)
	}
	if g.tap.replay.forgone == 0 {
		t.Error("what gave way is not counted")
	}
}

// Keeping what is sent allocates nothing once memory is warm, nor does sending
// it again; without a limit nothing is kept.
func TestReplayAllocatesNothing(t *testing.T) {
	g := newReplayRig(1 << 20)
	round := func() {
		g.say(300)
		g.tap.replay.confirm(g.now)
		g.say(50)
		g.moved(10)
		for g.tap.waiting() {
			g.step()
		}
	}
	round()
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Errorf("%v allocations for some 600 packets", n)
	}
	off := newReplayRig(1 << 20)
	off.tap.replay.limit = 0
	off.say(100)
	if used := off.relay.engine.store.used.Load(); used != 0 {
		t.Errorf("%d bytes", used)
	}
}

// What was at risk and the next recorder does not take in its codec is lost; an
// event that it declines is not.
func TestReplayInAnotherCodec(t *testing.T) {
	for name, want := range map[string]uint64{"G722": 70, "telephone-event": 0} {
		g := newReplayRig(1 << 20)
		g.tap.codecs.set(map[uint8]Codec{0: {Name: name, Clock: 8000}})
		g.say(100)
		g.tap.replay.confirm(g.now + 1)
		g.say(70)
		g.tap.pt[0] = unmapped
		g.moved(0)
		g.say(100)
		if n := g.tap.replay.forgone; n != want || g.tap.replay.ahead != 0 {
			t.Errorf("%s: %d are lost, %d are to be sent again", name, n, g.tap.replay.ahead)
		}
	}
}

// The reports of a recorder say that it lives for its own taps, not for those of
// another session of the same configuration, which may be elsewhere.
func TestReportConfirmsOneSession(t *testing.T) {
	g := newReplayRig(1 << 20)
	g.say(100)
	other := &Tap{relay: g.relay, cfg: g.tap.cfg, replay: replay{}}
	g.tap.cfg.Session, other.cfg.Session = "one", "two"
	third := &Tap{relay: g.relay, cfg: g.tap.cfg}
	g.relay.taps = append(g.relay.taps, other, third)
	for _, tap := range g.relay.taps {
		tap.replay.unsure = 5
	}
	host := g.tap.rtcp.Addr()
	g.tap.rtcpAddress.Store(&host)
	g.tap.report([]byte{0x80, typeRR, 0, 1, 0, 0, 0, 7}, g.tap.rtcp, g.now)
	if got := [3]uint64{g.tap.replay.unsure, other.replay.unsure, third.replay.unsure}; got != [3]uint64{0, 5, 0} {
		t.Errorf("unsure about %v", got)
	}
}
