package b2bua_test

import (
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/tests/peer"
)

// Phones that know of recording and of session timers are told of a recording without a timer that nobody wanted; where
// one runs, it is named as it was agreed, and goes on running as it did.
func TestNoticeLeavesTheSessionTimerAlone(t *testing.T) {
	aware := peer.With("Supported", "timer, record-aware")
	for _, tc := range []struct{ agreed, toA, toB string }{
		{},
		{"90;refresher=uac", "90;refresher=uas", "90;refresher=uac"},
		{"90;refresher=uas", "90;refresher=uac", "90;refresher=uas"},
	} {
		t.Run(tc.agreed, func(t *testing.T) {
			r := newRecorder(false)
			s := newStage(t, setup{recorder: r})
			asked, answered := timed(), timed()
			if tc.agreed != "" {
				asked, answered = timed("Session-Expires: 90"), timed("Session-Expires: "+tc.agreed, "Require: timer")
			}
			c := s.invite(append(asked, aware)...)
			c.answer(append(answered, aware)...)
			told := make(chan *peer.Incoming, 100)
			for _, p := range []*peer.Peer{s.caller, s.pbx} {
				p.Auto("UPDATE", func(in *peer.Incoming) bool {
					in.Reply(200, aware, peer.With("Allow", manyMethods), peer.WithSDP(c.sdpA(1)))
					told <- in
					return true
				})
			}
			notify, refreshed, began := <-r.begun, false, time.Now()
			for round := 0; round == 0 || tc.agreed != "" && !refreshed && time.Since(began) < peer.Patience/2; round++ {
				notify([]metadata.RecordingState{metadata.StateRecording, metadata.StatePaused}[round%2], "")
				for range 2 {
					in := <-told
					want := map[*peer.Peer]string{s.caller: tc.toA, s.pbx: tc.toB}[in.Peer]
					if refreshed = refreshed || len(in.Body) == 0; refreshed {
						break
					}
					if got := in.Get("Session-Expires"); got != want {
						t.Errorf("%s was told with Session-Expires %q, not %q", in.Peer.Name, got, want)
					}
				}
			}
			if tc.agreed != "" && !refreshed { // in its time, whatever was told meanwhile
				t.Error("each notice began the time anew")
			}
			c.hangUp()
			s.quiet()
		})
	}
}

// A side that wants longer intervals than the other was told does not keep the other waiting for its refresh.
func TestLongerIntervalOfOneSide(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite(timed("Session-Expires: 90")...)
	c.answer(timed("Session-Expires: 90;refresher=uac", "Require: timer")...)
	short := timed("Session-Expires: 90;refresher=uac")
	c.left.Expect("UPDATE").Reply(200, short...)
	c.right.Expect("UPDATE").Reply(422, peer.With("Min-SE", "86400"))
	long := func() {
		in := c.right.Expect("UPDATE")
		if got := in.Get("Session-Expires"); got != "86400;refresher=uac" {
			t.Errorf("Session-Expires %q", got)
		}
		in.Reply(200, timed("Session-Expires: 86400;refresher=uac")...)
	}
	long()
	c.left.Expect("UPDATE").Reply(200, short...)
	long()
	c.hangUp()
	s.quiet()
}
