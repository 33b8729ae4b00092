package forker_test

import (
	"net/netip"
	"testing"
	"time"

	"sidetrack/forker"
)

func forkFor(t testing.TB, c *call, cfg forker.TapConfig) *forker.Tap {
	t.Helper()
	cfg.Label = "1"
	tap, err := c.relay.Fork(0, forker.AB, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tap
}

// The recorder after a lost one gets what that may not have recorded, then the
// rest; both together miss nothing.
func TestLostRecorder(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		one, two := newPeer(t, srsHost), newPeer(t, srsHost)
		tap := forkFor(t, c, forker.TapConfig{Replay: time.Minute})
		tap.SendTo(one.addr(), netip.AddrPort{}, pcmu)
		c.pass(1, 20)
		first := one.sequel(20)
		tap.Confirm()
		c.pass(21, 30)
		tap.Rewind()
		c.pass(31, 40)
		eventually(t, "kept", func() bool { return tap.Stats().Buffered == 40 })
		tap.SendTo(two.addr(), netip.AddrPort{}, pcmu)
		all := two.sequel(40)
		wantSources(t, all, 1)
		if all[0].SequenceNumber != first[0].SequenceNumber || all[0].Timestamp != first[0].Timestamp || all[0].SSRC != first[0].SSRC {
			t.Errorf("%v, was %v", all[0].Header, first[0].Header)
		}
		eventually(t, "counted", func() bool {
			s := tap.Stats()
			return s.Copied == 40 && s.Again == 30 && s.AtRisk == 0 && s.Dropped.Total() == 0
		})
		if n := len(one.sequel(10)); n != 10 {
			t.Errorf("%d", n)
		}
		one.silent()
	})
}

// A tap that lingers outlives its relay until what it keeps has left, an
// address for it included that comes later; nothing else of the relay does.
func TestTapLingers(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		c := newCall(t, e)
		srs := newPeer(t, srsHost)
		tap := forkFor(t, c, forker.TapConfig{Linger: time.Minute})
		c.pass(1, 100)
		eventually(t, "kept", func() bool { return tap.Stats().Buffered == 100 })
		c.relay.Close()
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		wantSources(t, srs.sequel(100), 1)
		eventually(t, "empty", func() bool { return tap.Stats().Buffered == 0 })
		tap.Close()
		eventually(t, "free", func() bool { return e.Ports().Used == 0 })
	})
}

// One that nobody closes is closed; one that keeps nothing does not linger.
func TestLingeringEnds(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		c := newCall(t, e)
		full, empty := forkFor(t, c, forker.TapConfig{Linger: 50 * time.Millisecond}), forkFor(t, c, forker.TapConfig{Linger: time.Minute, Buffer: -1})
		c.pass(1, 10)
		eventually(t, "seen", func() bool { return full.Stats().Buffered == 10 && empty.Stats().In == 10 })
		c.relay.Close()
		eventually(t, "free", func() bool { return e.Ports().Used == 0 })
		if s := full.Stats(); s.Dropped[forker.DropNoAddress] != 10 {
			t.Errorf("%+v", s)
		}
	})
}
