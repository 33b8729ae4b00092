package forker

import (
	"syscall"
	"testing"
	"time"
)

func newBatchRig(n int64) *rig {
	g := newRig()
	g.relay.engine.batch.Store(n)
	return g
}

// Four packets, one system call, no allocation.
func TestBatchSavesSends(t *testing.T) {
	g := newBatchRig(4)
	for range 400 {
		g.step()
	}
	if g.copies.cuts != 100 || g.copies.sent != 400 || g.tap.counts.copied != 400 || g.tap.counts.payload != 400*160 {
		t.Errorf("%d sends of %d packets, %+v", g.copies.cuts, g.copies.sent, g.tap.counts)
	}
	drain := func() {
		for range 4 {
			g.step()
		}
		for _, ok := g.relay.engine.due.pop(g.now); ok; _, ok = g.relay.engine.due.pop(g.now) {
		}
	}
	drain()
	if n := testing.AllocsPerRun(100, drain); n != 0 {
		t.Errorf("%v allocations per batch", n)
	}
}

// Whatever closes a batch early.
func TestBatchCloses(t *testing.T) {
	for name, closing := range map[string]func(*rig){
		"marker":          func(g *rig) { g.packet[1] = 0x80; g.step() },
		"age":             func(g *rig) { g.now += int64(60 * time.Millisecond); g.step() },
		"shorter packet":  func(g *rig) { g.packet = g.packet[:100]; g.step() },
		"report":          func(g *rig) { g.tap.sendReports(g.now); g.tap.reports.due = g.now; g.tap.sendReports(g.now) },
		"pause":           func(g *rig) { g.tap.Pause() },
		"move":            func(g *rig) { g.tap.SendTo(g.tap.rtcp, g.tap.rtcp, nil) },
		"batching is off": func(g *rig) { g.relay.engine.batch.Store(0); g.step() },
		"silence":         func(g *rig) { b, _ := g.relay.engine.due.pop(g.now); b.tap.flushSilent(b.serial, g.now) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newBatchRig(16)
			g.step()
			g.step()
			if g.copies.sent != 0 || g.tap.batch.n != 2 {
				t.Fatalf("%d sent, %d collected", g.copies.sent, g.tap.batch.n)
			}
			closing(g)
			if g.copies.sent < 2 || g.tap.batch.n != 0 {
				t.Errorf("%d sent, %d collected", g.copies.sent, g.tap.batch.n)
			}
		})
	}
}

// A timer that comes late for its batch leaves the next one alone.
func TestBatchTimerKnowsItsBatch(t *testing.T) {
	g := newBatchRig(2)
	for range 3 {
		g.step()
	}
	b, _ := g.relay.engine.due.pop(g.now)
	b.tap.flushSilent(b.serial, g.now)
	if g.tap.batch.n != 1 {
		t.Errorf("%d collected", g.tap.batch.n)
	}
}

// A way that takes no segments: everything arrives all the same, and the tap
// does not try again until it moves.
func TestBatchFallsBack(t *testing.T) {
	if !refusesSegments(syscall.EINVAL) {
		t.Skip("nothing is sent in segments on this platform")
	}
	g := newBatchRig(4)
	g.copies.err = []error{syscall.EINVAL}
	for range 10 {
		g.step()
	}
	if g.copies.cuts != 1 || g.copies.sent != 10 || g.tap.counts.copied != 10 || g.tap.counts.dropped.Total() != 0 {
		t.Errorf("%d cuts, %d sent, %+v", g.copies.cuts, g.copies.sent, g.tap.counts)
	}
}

// Adaptive batching follows the number of copies a second, with hysteresis.
func TestBatchingAdapts(t *testing.T) {
	g := newRig()
	e := g.relay.engine
	e.cfg.Workers, e.adaptive = 1, true
	e.recorders = map[string]*recorderTotals{"main": g.tap.totals}
	l, now := &load{}, int64(0)
	for _, step := range []struct {
		copies uint64
		want   int64
	}{{100, 0}, {190, 0}, {210, 4}, {150, 4}, {101, 4}, {99, 0}, {150, 0}} {
		g.tap.totals.copied.Add(step.copies)
		now += int64(time.Second)
		e.adapt(l, now)
		if got := e.batch.Load(); got != step.want {
			t.Errorf("%d copies a second: batches of %d, want %d", step.copies, got, step.want)
		}
	}
}

// The ring of begun batches keeps its order while it grows and turns.
func TestDueBatches(t *testing.T) {
	var d dueBatches
	next := uint32(1)
	for i := uint32(1); i <= 1000; i++ {
		d.push(nil, i, int64(i))
		if i%3 == 0 {
			if b, ok := d.pop(int64(i)); !ok || b.serial != next {
				t.Fatalf("got %v %v, want %d", b, ok, next)
			}
			next++
		}
	}
	if _, ok := d.pop(int64(next) - 1); ok {
		t.Error("one that is not due")
	}
	for ; next <= 1000; next++ {
		if b, ok := d.pop(1000); !ok || b.serial != next {
			t.Fatalf("got %v %v, want %d", b, ok, next)
		}
	}
}

// Masking allocates nothing once its memory is there.
func TestMaskAllocatesNothing(t *testing.T) {
	g := newRig()
	g.tap.cfg.Pause = PauseSilence
	g.tap.masking.codings[0] = codingOf(Codec{Name: "PCMU"})
	g.tap.Pause()
	g.step()
	if n := testing.AllocsPerRun(100, g.step); n != 0 || g.copies.last[40] != 0xff {
		t.Errorf("%v allocations, %x", n, g.copies.last[40])
	}
}
