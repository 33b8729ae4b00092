package forker

import (
	"net/netip"
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
	fill := func() {
		for range 4 {
			g.step()
		}
	}
	if n := testing.AllocsPerRun(100, fill); n != 0 {
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
		"silence": func(g *rig) {
			g.now += batchSilence
			for _, t := range g.relay.engine.due.begun(g.now - batchSilence + 20e6) {
				t.flushSilent(g.now)
			}
		},
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
	g.tap.flushSilent(g.now + batchSilence - 1)
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
	e.cfg.Workers, e.batches = 1, BatchAdaptive
	e.recorders = map[string]*recorderTotals{"main": g.tap.totals}
	l, now := &load{}, int64(0)
	for _, step := range []struct {
		copies uint64
		want   int64
	}{{100, 0}, {190, 0}, {210, 4}, {150, 4}, {101, 4}, {99, 0}, {150, 0}} {
		g.tap.totals.copied.Add(step.copies)
		now += int64(time.Second)
		e.adapt(l, 0, now)
		if got := e.batch.Load(); got != step.want {
			t.Errorf("%d copies a second: batches of %d, want %d", step.copies, got, step.want)
		}
	}
}

// Taps that collect are listed once, until they are removed.
func TestDueBatches(t *testing.T) {
	var d dueBatches
	var taps []*Tap
	for i := range 10 {
		tap := &Tap{}
		tap.batch.opened.Store(int64(i))
		taps = append(taps, tap)
		d.add(tap)
	}
	for _, i := range []int{9, 0, 4, 4} {
		d.remove(taps[i])
	}
	begun := map[*Tap]bool{}
	for _, tap := range d.begun(6) {
		begun[tap] = true
	}
	for i, tap := range taps {
		if want := i > 0 && i <= 6 && i != 4; begun[tap] != want {
			t.Errorf("tap %d: %v, want %v", i, begun[tap], want)
		}
	}
	for _, tap := range taps {
		d.remove(tap)
	}
	if len(d.taps) != 0 {
		t.Errorf("%d left", len(d.taps))
	}
}

// Masking allocates nothing once its memory is there.
func TestMaskAllocatesNothing(t *testing.T) {
	g := newRig()
	g.tap.cfg.Pause = PauseSilence
	g.tap.codecs.set(map[uint8]Codec{0: {Name: "PCMU"}})
	g.tap.Pause()
	g.step()
	if n := testing.AllocsPerRun(100, g.step); n != 0 || g.copies.last[40] != 0xff {
		t.Errorf("%v allocations, %x", n, g.copies.last[40])
	}
}

// A reload puts another size in force at once, and begins to look after what is collected; what the driver cannot is left.
func TestBatchingIsPutInForce(t *testing.T) {
	cfg := Config{Listen: netip.MustParseAddr("127.0.0.1"), PortMin: 30100, PortMax: 30101}
	for _, portable := range []bool{false, true} {
		cfg.Portable = portable
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		can := e.driver.segments()
		for _, step := range []struct {
			batch, want int
			adapts      bool
		}{{0, 0, false}, {4, 4, false}, {4, 4, false}, {BatchAdaptive, 0, true}, {16, 16, false}, {0, 0, false}} {
			swap, err := e.Prepare(Settings{Listen: cfg.Listen, PortMin: cfg.PortMin, PortMax: cfg.PortMax, Batch: step.batch})
			if err != nil {
				t.Fatal(err)
			}
			swap()
			if !can {
				step.want, step.adapts = 0, false
			}
			e.mu.Lock()
			adapts := e.batches == BatchAdaptive
			e.mu.Unlock()
			if got := e.batch.Load(); got != int64(step.want) || adapts != step.adapts {
				t.Errorf("portable %v, batch %d: batches of %d, adaptive %v", portable, step.batch, got, adapts)
			}
		}
		if _, err := e.Prepare(Settings{Listen: cfg.Listen, PortMin: cfg.PortMin, PortMax: cfg.PortMax, Batch: 17}); err == nil {
			t.Error("batches of 17 are taken")
		}
		if e.flushes != can {
			t.Errorf("portable %v: the flusher runs: %v", portable, e.flushes)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
