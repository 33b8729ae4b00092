package recorder

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

func datagram(seq uint16, ts, ssrc uint32) []byte {
	b := []byte{0x80, 0}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, ts)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	return append(b, 1, 2, 3, 4)
}

// trace feeds sequence numbers, 20 ms apart, and writes down what is delivered:
// the number, with "-n" where n are lost before it.
func trace(in ...int) (out []string, n counters) {
	r := receiver{}
	r.deliver = func(p *packet, lost uint64) {
		s := fmt.Sprint(p.seq)
		if lost > 0 {
			s += fmt.Sprintf("-%d", lost)
		}
		out = append(out, s)
	}
	for i, seq := range in {
		r.receive(datagram(uint16(seq), uint32(160*i), 7), time.Duration(i)*20*ms)
	}
	r.flush()
	return out, r.n
}

func span(from, to int) (list []int) {
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

func texts(list []int) (out []string) {
	for _, i := range list {
		out = append(out, fmt.Sprint(uint16(i)))
	}
	return out
}

func TestSequencer(t *testing.T) {
	tests := []struct {
		name string
		in   []int
		out  []string
		n    counters
	}{
		{"one packet", []int{5}, []string{"5"}, counters{packets: 1}},
		{"the first is overtaken", []int{6, 5, 7, 8}, []string{"5", "6", "7", "8"}, counters{packets: 4, reordered: 1}},
		{"wrap", []int{65534, 65535, 0, 1, 2}, []string{"65534", "65535", "0", "1", "2"}, counters{packets: 5}},
		{"swapped over the wrap", []int{65533, 65534, 0, 65535, 1}, []string{"65533", "65534", "65535", "0", "1"},
			counters{packets: 5, reordered: 1}},
		{"loss while the end comes", []int{1, 2, 3, 4, 7}, []string{"1", "2", "3", "4", "7-2"}, counters{packets: 5, lost: 2}},
		{"duplicates while it starts", []int{1, 1, 2, 1, 3, 3, 4, 4}, []string{"1", "2", "3", "4"}, counters{packets: 4, duplicate: 4}},
		{"restart far away", append(span(0, 10), 40000, 40001, 40002),
			append(texts(span(0, 10)), "40000", "40001", "40002"), counters{packets: 13, restarts: 1}},
		{"one stray number", append(append(span(0, 10), 40000), span(10, 20)...), texts(span(0, 20)), counters{packets: 20}},
		{"restart while it starts", []int{1, 2, 30000, 30001, 30002, 30003, 30004},
			[]string{"1", "2", "30000", "30001", "30002", "30003", "30004"}, counters{packets: 7, restarts: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, n := trace(tt.in...)
			tt.n.sources, tt.n.octets = 1, 4*tt.n.packets
			if !slices.Equal(out, tt.out) || n != tt.n {
				t.Errorf("delivered %v, want %v\ncounted %+v, want %+v", out, tt.out, n, tt.n)
			}
		})
	}
}

// A million packets, each hundredth lost: counted to the packet over many wraps.
func TestSequencerLongRun(t *testing.T) {
	r := receiver{deliver: func(*packet, uint64) {}}
	const total = 1_000_000
	for i := range total {
		if i%100 != 50 {
			r.receive(datagram(uint16(i), uint32(160*i), 7), time.Duration(i)*20*ms)
		}
	}
	r.flush()
	if r.n.packets != total*99/100 || r.n.lost != total/100 {
		t.Errorf("%+v", r.n)
	}
	if got := r.current.top - r.current.base + 1; got != total {
		t.Errorf("expected %d packets, want %d", got, total)
	}
}

// What is lost while nothing gets through for long is counted, however often the numbers wrap
// meanwhile, and the count goes on behind it.
func TestSequencerOutage(t *testing.T) {
	for _, missing := range []int{2999, 3500, 33_000, 65_000, 70_000, 140_000} {
		var before uint64
		r := receiver{deliver: func(_ *packet, lost uint64) { before += lost }}
		for i := range 100 {
			if i >= 50 {
				i += missing
			}
			r.receive(datagram(uint16(i), uint32(160*i), 7), time.Duration(i)*20*ms)
		}
		r.flush()
		if r.n.packets != 100 || r.n.lost != uint64(missing) || before != r.n.lost || r.n.restarts != 0 {
			t.Errorf("%d missing: %+v", missing, r.n)
		}
		if expected := r.current.top - r.current.base + 1; expected != int64(100+missing) || r.current.report.received != 100 {
			t.Errorf("%d missing: %d of %d received", missing, r.current.report.received, expected)
		}
	}
}

func TestParseRTP(t *testing.T) {
	head := datagram(1, 2, 3)[:12]
	with := func(first byte, rest ...byte) []byte {
		b := append(slices.Clone(head), rest...)
		b[0] = first
		return b
	}
	tests := []struct {
		name    string
		b       []byte
		payload int // -1: refused
	}{
		{"empty payload", with(0x80), 0},
		{"short", head[:11], -1},
		{"version 1", with(0x40), -1},
		{"two CSRC", with(0x82, 0, 0, 0, 0, 0, 0, 0, 0, 9), 1},
		{"CSRC missing", with(0x8f, 0, 0), -1},
		{"extension", with(0x90, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 9, 9), 2},
		{"extension too long", with(0x90, 0xbe, 0xde, 0, 9, 1, 2, 3, 4), -1},
		{"extension cut", with(0x90, 0xbe), -1},
		{"padding", with(0xa0, 9, 9, 0, 2), 2},
		{"padding of nothing", with(0xa0, 9, 0), -1},
		{"padding over all", with(0xa0, 9, 3), -1},
	}
	for _, tt := range tests {
		p, ok := parseRTP(tt.b, 0)
		if got := p.to - p.from; ok != (tt.payload >= 0) || ok && got != tt.payload {
			t.Errorf("%s: %d bytes of payload, ok %v", tt.name, got, ok)
		}
	}
}

// step is one packet for a timeline at 8 kHz.
type step struct {
	ts   uint32
	at   time.Duration
	want time.Duration // position
}

func TestTimeline(t *testing.T) {
	tests := []struct {
		name  string
		steps []step
	}{
		{"steady, with jitter", []step{{100, 500 * ms, 500 * ms}, {260, 530 * ms, 520 * ms}, {420, 531 * ms, 540 * ms}}},
		{"timestamp wraps", []step{{0xffffffff - 159, 0, 0}, {0, 20 * ms, 20 * ms}, {160, 40 * ms, 40 * ms}}},
		{"silence", []step{{0, 0, 0}, {8000, 1020 * ms, 1000 * ms}}},
		{"faster than real time", []step{{0, 0, 0}, {160, 1 * ms, 20 * ms}, {16000, 2 * ms, 2 * time.Second}}},
		{"new timestamps, same source", []step{{0, 0, 0}, {0x70000000, 25 * ms, 25 * ms}, {0x70000000 + 160, 40 * ms, 45 * ms}}},
		{"timestamps fall back", []step{{80000, 0, 0}, {0, 3 * time.Second, 3 * time.Second}}},
		{"a step back is an overlap", []step{{8000, 0, 0}, {8160, 20 * ms, 20 * ms}, {8080, 30 * ms, 10 * ms}}},
		{"an hour's hold counted on", []step{{0, 0, 0}, {8000 * 3600, time.Hour, time.Hour}}},
		{"new timestamps never overwrite", []step{{0, 0, 0}, {8000, 1 * ms, time.Second}, {0x70000000, 2 * ms, time.Second + 20*ms}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line := timeline{clock: 8000}
			for i, s := range tt.steps {
				pos, _, ok := line.place(s.ts, 160, s.at)
				if want := ticks(s.want, 8000); !ok || pos != want {
					t.Errorf("packet %d at %d, want %d (ok %v)", i, pos, want, ok)
				}
			}
		})
	}
}

func TestTimelineBoundsTheFile(t *testing.T) {
	line := timeline{clock: 8000}
	dropped := 0
	for i := range uint32(100_000) { // half an hour of timestamps in one second
		pos, _, ok := line.place(160*i, 160, time.Duration(i)*10*time.Microsecond)
		if !ok {
			dropped++
		} else if pos > ticks(aheadLimit+time.Second, 8000) {
			t.Fatalf("packet %d lies at %d s", i, pos/8000)
		}
	}
	if dropped == 0 {
		t.Error("nothing was dropped")
	}
}

// A phone that stops its timestamps while it is held, without anybody saying so.
func TestTimelineNoticesAStoppedClock(t *testing.T) {
	line := timeline{clock: 8000}
	at, ts := time.Duration(0), uint32(0)
	play := func(n int) (pos int64) {
		for range n {
			pos, _, _ = line.place(ts, 160, at)
			ts += 160
			at += 20 * ms
		}
		return pos
	}
	play(50)
	at += 10 * time.Second
	got := play(200)
	if want := ticks(at-20*ms, 8000); got != want {
		t.Errorf("four seconds later it is placed at %.3f s, want %.3f", float64(got)/8000, float64(want)/8000)
	}
	// A stall of the network, though, is caught up with.
	line = timeline{clock: 8000}
	at, ts = 0, 0
	play(50)
	stalled := at + 3*time.Second
	for range 150 {
		line.place(ts, 160, stalled)
		ts += 160
		at += 20 * ms
	}
	if got, want := play(200), ticks(at-20*ms, 8000); got != want {
		t.Errorf("after a stall it is placed at %.3f s, want %.3f", float64(got)/8000, float64(want)/8000)
	}
}

func TestShifts(t *testing.T) {
	a := func(zero float64) alignment { return alignment{known: true, zero: zero, skew: 100} }
	tests := []struct {
		name   string
		in     []alignment
		leads  []float64
		want   []float64
		refuse bool
	}{
		{"nothing known", []alignment{{}, {}}, []float64{1, 1}, []float64{0, 0}, false},
		{"one known", []alignment{a(100), {}}, []float64{1, 1}, []float64{0, 0}, false},
		{"second is late", []alignment{a(100), a(99.9)}, []float64{1, 1}, []float64{0, -0.1}, false},
		{"no room in front", []alignment{a(100), a(99.9)}, []float64{1, 0.05}, []float64{0.1, 0}, false},
		{"too little to care", []alignment{a(100), a(99.9995)}, []float64{1, 1}, []float64{0, 0}, false},
		{"what was kept begins later", []alignment{a(100), a(103)}, []float64{0.01, 0.01}, []float64{0, 3}, false},
		{"absurd", []alignment{a(100), a(500)}, []float64{1, 1}, []float64{0, 0}, true},
		{"clocks of different hosts", []alignment{a(100), {known: true, zero: 99.9, skew: 60}}, []float64{1, 1}, []float64{0, 0}, true},
	}
	for _, tt := range tests {
		got, ok := shifts(tt.in, tt.leads)
		for i := range got {
			if math.Abs(got[i]-tt.want[i]) > 1e-9 {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
		if ok == tt.refuse {
			t.Errorf("%s: ok %v", tt.name, ok)
		}
	}
}

func TestLatch(t *testing.T) {
	ip := netip.MustParseAddr
	var l latch
	l.expect(ip("192.0.2.1"), ip("192.0.2.2"), netip.Addr{}, ip("0.0.0.0"))
	for i, tt := range []struct {
		from string
		want bool
	}{
		{"198.51.100.1", true},     // behind a NAT, perhaps
		{"198.51.100.2", false},    // but only one of them
		{"198.51.100.1", true},     //
		{"::ffff:192.0.2.1", true}, // the client itself
		{"198.51.100.1", false},    // settles it
		{"192.0.2.2", true},        //
	} {
		if got := l.accepts(ip(tt.from)); got != tt.want {
			t.Errorf("%d: %s accepted: %v", i, tt.from, got)
		}
	}
	if l.strangers != 2 {
		t.Errorf("%d strangers", l.strangers)
	}
	l.expect(ip("192.0.2.9"))
	if !l.accepts(ip("192.0.2.9")) || l.accepts(ip("192.0.2.1")) {
		t.Error("the latch does not follow a new SDP")
	}
}

// A port of the client's host that is not the announced one is heard as long as
// that has not been.
func TestLatchOnThePort(t *testing.T) {
	at := netip.MustParseAddrPort
	var l latch
	l.expect(at("192.0.2.1:4000").Addr())
	l.announce(at("192.0.2.1:4000"))
	for i, tt := range []struct {
		from string
		want bool
	}{
		{"192.0.2.1:5000", true}, // asymmetric, perhaps
		{"[::ffff:192.0.2.1]:4000", true},
		{"192.0.2.1:5000", false},
		{"192.0.2.1:4000", true},
	} {
		if got := l.media(at(tt.from)); got != tt.want {
			t.Errorf("%d: %s accepted: %v", i, tt.from, got)
		}
	}
	if l.announce(at("192.0.2.1:6000")); !l.media(at("192.0.2.1:5000")) {
		t.Error("the latch does not follow a new SDP")
	}
}

func TestSafeName(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "a_leg": "a_leg", "": "_", ".": "_.", "..": "_..", "../x": "_.._x", "a/b\\c": "a_b_c", "-rf": "_-rf",
		"\xff\x00": "__", "grün": "gr_n",
	} {
		if got := safeName(in, 64); got != want {
			t.Errorf("safeName(%q) = %q, want %q", in, got, want)
		}
	}
	n := names{}
	if a, b, c := n.take("A"), n.take("a"), n.take("a-2"); a != "A" || b != "a-2" || c != "a-2-2" {
		t.Errorf("%q, %q, %q", a, b, c)
	}
}

func TestCountersNeverLie(t *testing.T) {
	// What is delivered, missing or refused adds up to what was sent, whatever the order.
	in := []int{3, 1, 2, 9, 9, 5, 200, 201, 202, 4, 6, 7, 8, 10, 11, 3000, 203, 204}
	out, n := trace(in...)
	if uint64(len(out)) != n.packets || n.packets+n.duplicate+n.late+n.foreign+n.malformed > uint64(len(in)) {
		t.Errorf("%d delivered, %+v", len(out), n)
	}
}
