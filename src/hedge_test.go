package src_test

import (
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

func hedged(s *setup) { s.recorder.Hedge, s.recorder.Timeout = 50*time.Millisecond, 10*time.Second }

// cancelled awaits the CANCEL of an INVITE that was given up.
func cancelled(in *peer.Incoming) {
	in.ExpectOther("CANCEL").Reply(200)
	in.Reply(487)
	in.ExpectOther("ACK")
}

// hedging is a call whose first two SRSs have been asked.
func hedging(t *testing.T, opts ...func(*setup)) (r *rig, c *call, recs []*peer.Recorder, one, two *peer.Incoming) {
	t.Helper()
	var uris []string
	for _, name := range []string{"srs1", "srs2"} {
		rec := newSRS(t, name, "udp")
		recs, uris = append(recs, rec), append(uris, rec.URI(";transport=udp"))
	}
	r = newRig(t, uris, append([]func(*setup){hedged}, opts...)...)
	c = r.newCall()
	c.talk()
	c.begin()
	one = recs[0].Expect("INVITE")
	one.Reply(180)
	two = recs[1].Expect("INVITE")
	if one.CallID() == two.CallID() || one.FromTag() == two.FromTag() {
		t.Error("two INVITEs with one identity")
	}
	return r, c, recs, one, two
}

// one checks that there is one recording, with these attempts.
func (c *call) one(t *testing.T, codes ...int) {
	t.Helper()
	var views []src.View
	for _, v := range c.r.client.Recordings() {
		if v.CallID == c.cs.ID {
			views = append(views, v)
		}
	}
	if len(views) != 1 || len(views[0].Attempts) != len(codes) {
		t.Fatalf("%+v", views)
	}
	for i, a := range views[0].Attempts {
		if a.Code != codes[i] {
			t.Errorf("attempt %d: %d %s", i, a.Code, a.Reason)
		}
	}
}

// A slow SRS is not waited for: the next one is asked as well, and whose 2xx comes first has the session.
func TestHedge(t *testing.T) {
	t.Run("the second is faster", func(t *testing.T) {
		t.Parallel()
		r, c, recs, one, two := hedging(t)
		s := recs[1].AcceptInvite(two)
		cancelled(one)
		hears(t, c, s)
		c.one(t, 487, 200)
		if v := c.view(); v.SRS != recs[1].URI(";transport=udp") || v.SIPCallID != two.CallID() {
			t.Errorf("%+v", v)
		}
		c.hold(true)
		s.Update()
		if s.Offers[1].Version != s.Offers[0].Version+1 {
			t.Errorf("o= versions %d, %d", s.Offers[0].Version, s.Offers[1].Version)
		}
		c.hold(false)
		s.Update()
		finish(t, c, s)
		if n := r.metric(t, "sidetrack_srs_failovers_total"); n != 0 {
			t.Errorf("%v failovers counted", n)
		}
		if n := r.metric(t, "sidetrack_srs_hedges_total"); n != 1 {
			t.Errorf("%v hedges counted", n)
		}
	})
	t.Run("the first is faster after all", func(t *testing.T) {
		t.Parallel()
		_, c, recs, one, two := hedging(t)
		two.Reply(180)
		s := recs[0].AcceptInvite(one)
		cancelled(two)
		hears(t, c, s)
		c.one(t, 487, 200)
		c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" })
		s.Update()
		finish(t, c, s)
	})
	t.Run("both answer", func(t *testing.T) {
		t.Parallel()
		_, c, recs, one, two := hedging(t)
		late := recs[0].Take(one)
		s := recs[1].AcceptInvite(two)
		cancel := one.ExpectOther("CANCEL")
		one.Reply(200, peer.WithSDP(late.Answer()))
		cancel.Reply(200)
		one.ExpectOther("ACK")
		one.ExpectOther("BYE").Reply(200)
		hears(t, c, s)
		if n := c.copies(late, "1") + c.copies(late, "2"); n != 0 {
			t.Errorf("%d packets to the one that was too late", n)
		}
		c.one(t, 487, 200)
		finish(t, c, s)
	})
	t.Run("both fail", func(t *testing.T) {
		t.Parallel()
		_, c, _, one, two := hedging(t)
		one.Reply(503)
		one.ExpectOther("ACK")
		two.Reply(486)
		two.ExpectOther("ACK")
		c.ended(src.Failed)
		c.one(t, 503, 486)
		c.end()
	})
	t.Run("the call ends", func(t *testing.T) {
		t.Parallel()
		_, c, _, one, two := hedging(t, func(s *setup) { s.recorder.Buffer = -1 })
		two.Reply(180)
		c.end()
		cancelled(one)
		cancelled(two)
		c.ended(src.Failed)
		c.one(t, 487, 487)
	})
	t.Run("a quick one is alone", func(t *testing.T) {
		t.Parallel()
		one, two := newSRS(t, "srs1", "udp"), newSRS(t, "srs2", "udp")
		r := newRig(t, []string{one.URI(";transport=udp"), two.URI(";transport=udp")}, func(s *setup) { s.recorder.Hedge = 5 * time.Second })
		c := r.newCall()
		c.talk()
		c.begin()
		s := one.Accept()
		hears(t, c, s)
		c.one(t, 200)
		finish(t, c, s)
		if n := r.metric(t, "sidetrack_srs_hedges_total"); n != 0 {
			t.Errorf("%v hedges counted", n)
		}
	})
	t.Run("in a move", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 3, func(s *setup) { s.recorder.Hedge, s.recorder.Timeout = time.Second, 10*time.Second })
		m.s.Dialog.Bye()
		slow := m.recs[1].Expect("INVITE")
		slow.Reply(180)
		to := m.arrives(t, m.recs[2])
		cancelled(slow)
		together(t, m.c, m.s, to)
		finish(t, m.c, to)
	})
}

// Each of two that are asked at once has keys of its own; who wins gets what its own open.
func TestHedgeWithSRTP(t *testing.T) {
	for winner, name := range []string{"the first", "the second"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const suite = "AEAD_AES_128_GCM"
			vaults := []*vault{newVault(t, suite), newVault(t, suite)}
			r := newRig(t, []string{vaults[0].URI(";transport=udp"), vaults[1].URI(";transport=udp")}, hedged, sealed(src.SRTPRequired))
			c := r.newCall()
			c.talk()
			c.begin()
			ins := []*peer.Incoming{vaults[0].Expect("INVITE")}
			ins[0].Reply(180)
			ins = append(ins, vaults[1].Expect("INVITE"))
			ins[1].Reply(180)
			s := vaults[winner].AcceptInvite(ins[winner])
			cancelled(ins[1-winner])
			hears(t, c, s)
			finish(t, c, s)
		})
	}
}
