package forker

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// hostile are sources that are broken, or want to harm a recorder. Each changes the header of the packet before; n is its
// number.
var hostile = map[string]func(h *header, n int, rng *rand.Rand){
	"another SSRC each time": func(h *header, n int, _ *rand.Rand) { h.ssrc++ },
	"another SSRC, all else at odds": func(h *header, n int, rng *rand.Rand) {
		h.ssrc, h.seq, h.ts = rng.Uint32(), uint16(rng.Uint32()), rng.Uint32()
	},
	"two sources by turns": func(h *header, n int, _ *rand.Rand) {
		h.ssrc, h.seq, h.ts = uint32(n%2), uint16(n/2+n%2*30000), uint32(n/2*160+n%2*1e9)
	},
	"numbers at random":             func(h *header, _ int, rng *rand.Rand) { h.seq = uint16(rng.Uint32()) },
	"numbers that leap":             func(h *header, _ int, _ *rand.Rand) { h.seq += 20000 },
	"numbers that leap and return":  func(h *header, n int, _ *rand.Rand) { h.seq = uint16(n + n%2*20000) },
	"timestamps at random":          func(h *header, _ int, rng *rand.Rand) { h.ts = rng.Uint32() },
	"timestamps that rush":          func(h *header, _ int, _ *rand.Rand) { h.ts += 9 * 8000 },
	"timestamps that rush a little": func(h *header, _ int, _ *rand.Rand) { h.ts += 7000 },
	"timestamps that go back":       func(h *header, _ int, _ *rand.Rand) { h.ts -= 9 * 8000 },
	"timestamps that stand":         func(h *header, _ int, _ *rand.Rand) { h.ts -= 160 },
	"rushing by turns of clocks":    func(h *header, n int, _ *rand.Rand) { h.pt = []uint8{0, 8}[n/3%2]; h.ts += 9 * 8000 },
}

// Whatever numbers a source comes with, those of its copy go on one after the other, its clock stays by the time, and nothing
// is kept of what has passed, nor said of it in the log.
func TestHostileSourceDoesNotLeadTheCopyAway(t *testing.T) {
	for name, next := range hostile {
		for _, spacing := range []time.Duration{20*time.Millisecond + 100*time.Microsecond, 300 * time.Microsecond} {
			t.Run(name+", every "+spacing.String(), func(t *testing.T) {
				var log bytes.Buffer
				g := newRig()
				g.relay.engine.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
				g.relay.engine.store.limit = 1 << 20
				g.tap.pt[8] = 8
				g.tap.codecs.set(map[uint8]Codec{8: {Name: "L16", Clock: 16000}})
				rng := rand.New(rand.NewPCG(1, 2))
				h := header{ssrc: 7, seq: 65000}
				n := 0
				send := func() {
					g.now += int64(spacing)
					h.seq++
					h.ts += 160
					next(&h, n, rng)
					n++
					writeHeader(g.packet, h.pt, h.seq, h.ts, h.ssrc)
					g.caller.handle(g.packet, g.from, g.now)
					if n%500 == 0 {
						g.relay.sweep(g.now)
					}
				}
				send()
				last, ts, began := seqOfPacket(g.copies.last), binary.BigEndian.Uint32(g.copies.last[4:]), g.now
				ssrc := binary.BigEndian.Uint32(g.copies.last[8:])
				clocked := time.Duration(0) // that the copy's clock has gone
				for range 10000 {
					send()
					seq, stamp := seqOfPacket(g.copies.last), binary.BigEndian.Uint32(g.copies.last[4:])
					if step := int16(seq - last); step > maxDropout || step < -maxLate || name != "numbers at random" && step != 1 {
						t.Fatalf("packet %d: number %d after %d", n, seq, last)
					}
					rate := time.Duration(g.tap.clockOf(h.pt))
					clocked += time.Duration(int32(stamp-ts)) * time.Second / rate
					passed := time.Duration(g.now - began)
					if off := clocked - passed; off.Abs() > maxStretch+passed/16+time.Second {
						t.Fatalf("packet %d: the copy's clock is %v ahead after %v", n, off, passed)
					}
					if binary.BigEndian.Uint32(g.copies.last[8:]) != ssrc {
						t.Fatal("the copy's SSRC has changed")
					}
					last, ts = seq, stamp
				}
				if name == "another SSRC each time" {
					if off := clocked - time.Duration(g.now-began); off.Abs() > 10*time.Millisecond {
						t.Errorf("the copy's clock is %v off the time", off)
					}
				}
				g.relay.settle()
				if c := g.tap.counts; c.copied+c.dropped[DropLate] != uint64(n) || g.out.sent != n || c.dropped[DropLate] > 0 && name != "numbers at random" {
					t.Errorf("%d sent, %d relayed, %+v", n, g.out.sent, c)
				}
				if a := testing.AllocsPerRun(1000, send); a != 0 {
					t.Errorf("%v allocations per packet", a)
				}
				if log.Len() > 0 {
					t.Errorf("the log has\n%s", log.String())
				}
			})
		}
	}
}

func seqOfPacket(b []byte) uint16 { return binary.BigEndian.Uint16(b[2:]) }

// A fault met in what leaves late, when the sweep comes by, costs that packet, not the process.
func TestPanicInTheSweepIsContained(t *testing.T) {
	var log bytes.Buffer
	g := newRig()
	g.relay.engine.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	g.relay.engine.store.limit = 1 << 20
	g.tap.backlog = backlog{store: &g.relay.engine.store, limit: int64(time.Minute)}
	to, pair := g.tap.rtp, g.tap.pair
	g.tap.rtp = netip.AddrPort{}
	for range 3 {
		g.step()
	}
	g.tap.rtp, g.tap.pair = to, nil
	later := g.now + 2*idleAfter
	g.relay.sweep(later)
	g.tap.pair = pair
	g.relay.sweep(later)
	if g.copies.sent != 2 || g.tap.backlog.n != 0 || g.relay.engine.store.used.Load() != 0 {
		t.Errorf("%d of 3 copied, %d kept", g.copies.sent, g.tap.backlog.n)
	}
	if n := strings.Count(log.String(), "panic="); n != 1 {
		t.Errorf("%d lines: %s", n, log.String())
	}
}
