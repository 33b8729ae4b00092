package forker

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func marshal(t testing.TB, packets ...rtcp.Packet) []byte {
	t.Helper()
	b, err := rtcp.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFindReport(t *testing.T) {
	ours := rtcp.ReceptionReport{SSRC: 9, FractionLost: 64, TotalLost: 1234, Jitter: 80, LastSenderReport: 7, Delay: 65536}
	other := rtcp.ReceptionReport{SSRC: 8, FractionLost: 1}
	sdes := rtcp.NewCNAMESourceDescription(1, "srs")
	for name, b := range map[string][]byte{
		"receiver report":       marshal(t, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{other, ours}}, sdes),
		"sender report":         marshal(t, &rtcp.SenderReport{SSRC: 1, Reports: []rtcp.ReceptionReport{ours}}, sdes),
		"second of a compound":  marshal(t, &rtcp.ReceiverReport{SSRC: 1}, sdes, &rtcp.ReceiverReport{SSRC: 2, Reports: []rtcp.ReceptionReport{ours}}),
		"followed by fragments": append(marshal(t, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{ours}}), 0x80, 201, 9),
	} {
		got, ok := findReport(b, 9)
		want := reportBlock{fraction: 64, lost: 1234, jitter: 80, last: 7, delay: 65536}
		if !ok || got != want {
			t.Errorf("%s: %+v %v", name, got, ok)
		}
	}
	b := marshal(t, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{ours}})
	for n := range len(b) {
		if _, ok := findReport(b[:n], 9); ok {
			t.Errorf("found in %d of %d octets", n, len(b))
		}
	}
	b[9+4], b[9+5], b[9+6] = 0xff, 0xff, 0xfe // duplicates
	if got, _ := findReport(b, 9); got.lost != -2 {
		t.Errorf("lost %d, want -2", got.lost)
	}
	if _, ok := findReport(marshal(t, sdes, &rtcp.Goodbye{Sources: []uint32{9}}), 9); ok {
		t.Error("found in SDES and BYE")
	}
}

// Loss, jitter in the stream's clock, and the round trip without the delay that
// the recorder adds; a report on a sender report that we never sent tells none.
func TestReception(t *testing.T) {
	g := newRig()
	g.step()
	sent := ntp(time.Unix(1000, 0))
	g.tap.reception.ask(sent)
	later := ntp(time.Unix(1002, 500_000_000)) // 2.5 s on, 2 s of them the recorder's
	block := reportBlock{fraction: 128, lost: 5, jitter: 80, last: uint32(sent >> 16), delay: 2 << 16}
	g.tap.received(block, later, 77)
	r, m := g.tap.reception, g.tap.totals
	if r.reports != 1 || r.at != 77 || r.fraction != 128 || r.lost != 5 || r.jitter != 10*time.Millisecond || r.trip != 500*time.Millisecond {
		t.Errorf("%+v", r)
	}
	block.last, block.lost = 4711, 3
	g.tap.received(block, later, 78)
	block.lost = 6
	g.tap.received(block, later, 79)
	if r := g.tap.reception; r.trip != 500*time.Millisecond || r.lost != 6 {
		t.Errorf("%+v", r)
	}
	if m.reports.Load() != 3 || m.trips.Load() != 1 || m.lost.Load() != 6 || m.jitter.Load() != int64(30*time.Millisecond) {
		t.Errorf("totals: %d reports, %d trips, %d lost", m.reports.Load(), m.trips.Load(), m.lost.Load())
	}
}

func FuzzFindReport(f *testing.F) {
	f.Add(marshal(f, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 9, TotalLost: 3}}}))
	f.Add(marshal(f, &rtcp.SenderReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 9}}}))
	f.Add([]byte{0x9f, 201, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		block, ok := findReport(b, 9)
		if !ok && block != (reportBlock{}) {
			t.Errorf("%+v of nothing", block)
		}
	})
}
