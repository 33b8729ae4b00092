package forker_test

import (
	"errors"
	"net/netip"
	"testing"

	"sidetrack/forker"
)

func mixed(t testing.TB, r *forker.Relay) *forker.Tap {
	t.Helper()
	tap, err := r.ForkMixed(0, forker.TapConfig{Label: "1", CNAME: "both@here", Recorder: "main"})
	if err != nil {
		t.Fatalf("ForkMixed: %v", err)
	}
	for _, f := range []forker.Flow{forker.AB, forker.BA} {
		tap.SetVoice(f, map[uint8]forker.Codec{0: {Name: "PCMU", Clock: 8000}})
	}
	return tap
}

// What a mix has kept when its relay ends leaves still, and it goes on no longer.
func TestMixLingers(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		tap, err := c.relay.ForkMixed(0, forker.TapConfig{Label: "1", Recorder: "main", Linger: patience})
		if err != nil {
			t.Fatal(err)
		}
		tap.SetVoice(forker.AB, map[uint8]forker.Codec{0: {Name: "PCMU", Clock: 8000}})
		p := rtp(0, 1, 160, 1)
		c.caller.send(c.toA, p)
		c.callee.want(p)
		eventually(t, "packets kept", func() bool { return tap.Stats().Buffered > 3 })
		c.relay.Close()
		kept := tap.Stats().Buffered
		srs := newPeer(t, srsHost)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		srs.sequel(kept)
		if s := tap.Stats(); s.Copied != uint64(kept) {
			t.Errorf("%d kept, %+v", kept, s)
		}
		tap.Close()
		mixed(t, openRelay(t, newEngine(t, forker.Config{Listen: usHost, PortMin: cfg.PortMin + 16, PortMax: cfg.PortMax, Drain: cfg.Drain}))) // for its engine to end
	})
}

// A mix leaves from its own ports under its own numbers beside a tap of one
// party, what the parties hear is untouched, and after a move it goes on.
func TestForkMixed(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		one, two, alone := newPeer(t, srsHost), newPeer(t, srsHost), newPeer(t, srsHost)
		tap, single := mixed(t, c.relay), fork(t, c.relay, forker.AB)
		single.SendTo(alone.addr(), netip.AddrPort{}, pcmu)
		tap.SendTo(one.addr(), netip.AddrPort{}, pcmu)
		say := func(n uint16) {
			t.Helper()
			p, q := rtp(0, n, uint32(n)*160, 1), rtp(0, n, uint32(n)*160, 2)
			c.caller.send(c.toA, p)
			c.callee.want(p)
			c.callee.send(c.toB, q)
			c.caller.want(q)
			alone.recv()
		}
		say(1)
		raw, from := one.recv()
		first := parse(t, raw)
		if local, _ := tap.Local(); from != local || first.SSRC != tap.Stats().SSRC || first.SSRC == single.Stats().SSRC || len(first.Payload) != 160 {
			t.Errorf("%v from %v, offered %v", first.Header, from, local)
		}
		say(2)
		next := one.sequel(3)
		if a := next[0]; a.SequenceNumber != first.SequenceNumber+1 || a.Timestamp != first.Timestamp+160 || a.SSRC != first.SSRC {
			t.Errorf("%v after %v", a.Header, first.Header)
		}
		tap.SendTo(two.addr(), netip.AddrPort{}, pcmu)
		say(3)
		if b := two.sequel(3)[0]; b.SSRC != first.SSRC || int16(b.SequenceNumber-next[2].SequenceNumber) <= 0 {
			t.Errorf("%v after %v", b.Header, next[2].Header)
		}
		if h := tap.Stats().Heard; h != [2]uint64{3, 3} {
			t.Errorf("heard %v", h)
		}
		tap.Close()
		tap.Close()
		say(4)
		if s := tap.Stats(); s.Heard != [2]uint64{3, 3} {
			t.Errorf("closed, and it has heard %v", s.Heard)
		}
		if _, err := c.relay.ForkMixed(1, forker.TapConfig{}); err == nil {
			t.Error("a mix of a stream that does not exist")
		}
		lasting := mixed(t, c.relay) // for the relay to end
		say(5)
		c.relay.Close()
		if _, err := c.relay.ForkMixed(0, forker.TapConfig{}); !errors.Is(err, forker.ErrClosed) {
			t.Errorf("forking a closed relay: %v", err)
		}
		lasting.SetVoice(forker.AB, nil)
		lasting.Mute(forker.BA, true)
	})
}
