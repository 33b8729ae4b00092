package forker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"syscall"
	"testing"
	"time"
)

// twin is two rigs that are given the same: one with lanes, and one whose lock
// is taken before each packet, so that all of them go the long way.
type twin struct {
	t     *testing.T
	rigs  [2]*rig
	taken int // packets that a lane took
	log   []string
}

func newTwin(t *testing.T) *twin {
	w := &twin{t: t, rigs: [2]*rig{newRig(), newRig()}}
	for _, g := range w.rigs {
		g.relay.engine.store.limit = 1 << 20
		g.tap.pt[8], g.tap.pt[101] = 8, 101
		g.tap.backlog = backlog{store: &g.relay.engine.store, limit: int64(time.Second)}
	}
	first := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 3}, 0)
	for _, g := range w.rigs {
		g.caller.handle(bytes.Clone(first), g.from, g.now)
	}
	w.rigs[1].tap.nums, w.rigs[1].copies.last = w.rigs[0].tap.nums, bytes.Clone(w.rigs[0].copies.last) // the random beginning
	return w
}

func (w *twin) both(what string, f func(g *rig)) {
	w.log = append(w.log, what)
	for _, g := range w.rigs {
		f(g)
	}
	w.same()
}

// packet sends one to both.
func (w *twin) packet(seq uint16, ts uint32, pt byte, ssrc uint32, first byte) {
	w.from(w.rigs[0].from, seq, ts, pt, ssrc, first)
}

func (w *twin) from(from netip.AddrPort, seq uint16, ts uint32, pt byte, ssrc uint32, first byte) {
	w.log = append(w.log, fmt.Sprintf("packet %d %d pt %d ssrc %d first %x from %v", seq, ts, pt, ssrc, first, from))
	for i, g := range w.rigs {
		b := make([]byte, 12+int(seq%40))
		b[0], b[1] = first, pt
		binary.BigEndian.PutUint16(b[2:], seq)
		binary.BigEndian.PutUint32(b[4:], ts)
		binary.BigEndian.PutUint32(b[8:], ssrc)
		if first&0x20 != 0 && len(b) > 12 {
			b[len(b)-1] = 1
		}
		if first&0x10 != 0 && len(b) > 20 {
			copy(b[12:], []byte{0xbe, 0xde, 0, 1, byte(seq)%16<<4 | 1, 7, 8, 0})
		}
		before := uint64(0)
		if i == 1 {
			g.relay.settle()
		} else if g.caller.lane != nil && g.caller.lane.open {
			before = g.caller.lane.packets
		}
		g.caller.handle(b, from, g.now)
		if i == 0 && g.caller.lane != nil && g.caller.lane.open && g.caller.lane.packets > before {
			w.taken++
		}
	}
	w.same()
}

// same compares what has left so far.
func (w *twin) same() {
	w.t.Helper()
	a, b := w.rigs[0], w.rigs[1]
	switch {
	case a.out.sent != b.out.sent || !bytes.Equal(a.out.last, b.out.last):
		w.fail("to the party", a.out, b.out)
	case a.copies.sent != b.copies.sent || a.copies.cuts != b.copies.cuts || !bytes.Equal(a.copies.last, b.copies.last):
		w.fail("to the recorder", a.copies, b.copies)
	}
}

func (w *twin) fail(what string, a, b *sink) {
	w.t.Helper()
	for _, line := range w.log[max(0, len(w.log)-20):] {
		w.t.Log(line)
	}
	w.t.Fatalf("%s: by lane %d sent, newest % x; by the long way %d sent, newest % x", what, a.sent, a.last, b.sent, b.last)
}

// counted compares everything that is told.
func (w *twin) counted() {
	w.t.Helper()
	a, b := w.rigs[0], w.rigs[1]
	for _, g := range w.rigs {
		g.relay.settle()
		g.tap.counts.last = 0 // of a batch it is by the real clock
	}
	for what, pair := range map[string][2]any{
		"flow":       {a.caller.flow.counts, b.caller.flow.counts},
		"tap":        {a.tap.counts, b.tap.counts},
		"numbering":  {a.tap.nums, b.tap.nums},
		"last":       {a.caller.flow.lastRTP, b.caller.flow.lastRTP},
		"heard":      {a.tap.heard, b.tap.heard},
		"copied":     {a.tap.totals.copied.Load(), b.tap.totals.copied.Load()},
		"packets":    {a.relay.engine.totals.packets[SideA].Load(), b.relay.engine.totals.packets[SideA].Load()},
		"unreplayed": {a.tap.replay.unsure, b.tap.replay.unsure},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			w.fail(fmt.Sprintf("%s: %+v by lane, %+v by the long way", what, pair[0], pair[1]), a.copies, b.copies)
		}
	}
}

// A lane does what the long way does, whatever the packets and whatever is asked
// of the relay meanwhile.
func TestLaneIsTheLongWay(t *testing.T) {
	taken := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newTwin(t)
		seq, ts, ssrc, pt := uint16(1), uint32(160), uint32(3), byte(0)
		if seed%4 == 0 {
			seq = 65000 // over the wrap
		}
		for range 400 {
			step := time.Duration(20e6)
			if r.IntN(50) == 0 {
				step = time.Duration(r.Int64N(int64(15 * time.Second)))
			}
			for _, g := range w.rigs {
				g.now += int64(step)
			}
			seq++
			ts += 160
			switch r.IntN(60) {
			case 0: // lost
				continue
			case 1:
				w.packet(seq-uint16(r.IntN(5)), ts-uint32(r.IntN(800)), pt, ssrc, 0x80) // late or again
			case 2:
				ssrc, seq, ts = r.Uint32(), uint16(r.Uint32()), r.Uint32()
			case 3:
				ts += r.Uint32()
			case 4:
				pt = []byte{0, 8, 13, 0}[r.IntN(4)] // 13: the recorder has not taken it
			case 5:
				w.from(netip.MustParseAddrPort("192.0.2.66:4000"), seq, ts, pt, ssrc, 0x80)
			case 6:
				w.packet(seq, ts, 101, ssrc, 0x80)
				continue
			case 7:
				w.packet(seq, ts, pt, ssrc, []byte{0xa0, 0x00, 0x90, 0x90, 0x81}[r.IntN(5)])
				continue
			case 8:
				w.packet(seq, ts, 200, ssrc, 0x80) // RTCP, where none is expected
				continue
			case 9:
				w.both("pause", func(g *rig) { g.tap.Pause() })
			case 10, 11:
				w.both("resume", func(g *rig) { g.tap.Resume() })
			case 12:
				w.both("stop", func(g *rig) { g.tap.SendTo(netip.AddrPort{}, netip.AddrPort{}, map[uint8]uint8{0: 0, 8: 8}) })
			case 13, 14:
				to, as := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.7"), uint16(5000+2*r.IntN(3))), uint8(r.IntN(2))
				w.both("send", func(g *rig) { g.tap.SendTo(to, netip.AddrPort{}, map[uint8]uint8{0: as, 8: 8}) })
			case 15:
				w.both("batches", func(g *rig) { g.relay.engine.batch.Store(4) })
			case 16, 17:
				w.both("no batches", func(g *rig) { g.relay.engine.batch.Store(0) })
			case 18:
				errs := []error{syscall.EAGAIN, syscall.ECONNREFUSED, nil}[:r.IntN(4)]
				w.both("errors of copies", func(g *rig) { g.copies.err = append([]error(nil), errs...) })
			case 19:
				w.both("an error", func(g *rig) { g.out.err = []error{syscall.EAGAIN} })
			case 20:
				w.both("hold", func(g *rig) {
					g.relay.SetRemote(SideB, 0, Remote{RTP: netip.MustParseAddrPort("0.0.0.0:4000"), RTPKind: true})
				})
			case 21, 22:
				w.both("resumed", func(g *rig) {
					g.relay.SetRemote(SideB, 0, Remote{RTP: netip.MustParseAddrPort("192.0.2.2:4002"), Sends: true, RTPKind: true})
				})
			case 23:
				w.both("masked", func(g *rig) { g.tap.Mask(PauseSilence) })
			case 24, 25:
				w.both("unmasked", func(g *rig) { g.tap.Unmask() })
			case 27:
				from := map[uint8]uint8{uint8(r.IntN(8)): 1, uint8(r.IntN(16)): 2}
				w.both("extensions", func(g *rig) {
					g.tap.SetExtensions(from)
					g.tap.TakeExtensions([]uint8{1, 2})
				})
			case 26:
				w.both("swept", func(g *rig) { g.tap.catchUpIdle(g.now) })
			}
			w.packet(seq, ts, pt, ssrc, 0x80)
		}
		w.counted()
		taken += w.taken
	}
	if taken < 8000 {
		t.Errorf("lanes took %d of 80000 packets: the test shows little", taken)
	}
}

// An open lane does not outlive what changes or reads its relay.
func TestLockClosesLanes(t *testing.T) {
	g := newRig()
	for range 3 {
		g.short()
	}
	if g.caller.lane == nil || !g.caller.lane.open || g.caller.lane.packets == 0 {
		t.Fatal("usual packets open no lane")
	}
	if n := g.relay.Stats().Streams[0].Flows[AB].Packets; n != 3 || g.caller.lane.open || g.tap.counts.last != g.now {
		t.Errorf("%d packets counted, open %v, the newest copy at %d of %d", n, g.caller.lane.open, g.tap.counts.last, g.now)
	}
	g.short()
	g.relay.mu.Lock()
	g.relay.closed = true // what Close does, without ports
	g.relay.mu.Unlock()
	sent := g.out.sent
	g.short()
	if g.out.sent != sent || g.caller.lane.open {
		t.Error("a closed relay passes packets on")
	}
}
