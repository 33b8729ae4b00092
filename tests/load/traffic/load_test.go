//go:build linux

package traffic

import (
	"net/netip"
	"testing"
	"time"
)

// Traffic that goes straight to the other party arrives whole, and none of it at the recorder; what goes astray is told.
func TestWhatArrivesIsToldExactly(t *testing.T) {
	cfg := Config{Calls: 20, Host: netip.MustParseAddr("127.9.0.2"), Port: 21000, Sockets: 2, Copies: 2}
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for call := range cfg.Calls {
		l.Start(call, AB, cfg.Party(call, BA))
		l.Start(call, BA, cfg.Party(call, AB))
	}
	l.Start(7, AB, cfg.RecorderOf(0, 7, AB))
	l.Start(8, AB, cfg.Party(8, AB)) // back to the sender
	sent := func(more uint64) {
		for until := l.sent.Load() + more; l.sent.Load() < until; time.Sleep(time.Millisecond) {
		}
	}
	l.Begin()
	sent(400)
	l.End()
	sent(100)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := l.Result()
	astray := uint64(l.streams[2*7].inWindow + l.streams[2*8].inWindow)
	if r.Sent == 0 || astray == 0 || r.LostFar != astray || r.LostCopy != r.Sent-uint64(l.streams[2*7].inWindow) {
		t.Errorf("%d sent, %d astray: lost %d far, %d copies", r.Sent, astray, r.LostFar, r.LostCopy)
	}
	if r.Duplicates != 0 || r.Misplaced < uint64(l.streams[2*8].inWindow) {
		t.Errorf("%d duplicates, %d misplaced", r.Duplicates, r.Misplaced)
	}
	if r.Relay.Max() <= 0 || r.Relay.Quantile(.5) > r.Relay.Quantile(.99) || r.Relay.Quantile(.99) > r.Relay.Max() {
		t.Errorf("latency %v %v %v", r.Relay.Quantile(.5), r.Relay.Quantile(.99), r.Relay.Max())
	}
}

func TestHistogramKeepsThreePercent(t *testing.T) {
	for _, v := range []int64{0, 1, 31, 32, 33, 1000, 123456, 987654321, 1 << 40} {
		var h Histogram
		h.Add(v)
		h.Add(v + v/2 + 1)
		if got := int64(h.Quantile(.4)); got > v || float64(got) < .968*float64(v) {
			t.Errorf("%d became %d", v, got)
		}
	}
}
