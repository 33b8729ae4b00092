package src_test

import (
	"fmt"
	"testing"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// Keys in RTP reach the controls of the rule, whatever number their payload type has by then, and go on to the other party
// unless they are to be swallowed.
func TestKeysInRTP(t *testing.T) {
	for _, swallow := range []bool{false, true} {
		t.Run(fmt.Sprint("swallow ", swallow), func(t *testing.T) { testKeysInRTP(t, swallow) })
	}
}

func testKeysInRTP(t *testing.T, swallow bool) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) {
		s.rule.Controls = &policy.Controls{By: policy.TracksCaller, Swallow: swallow, Keys: map[policy.Action]string{policy.ActionPause: "*1", policy.ActionResume: "#1"}}
	})
	c := r.newCall()
	describe := func(cs *metadata.Snapshot, pt uint8) {
		as := events
		as.PT = pt
		for _, f := range []*metadata.Flow{&cs.Streams[0].Caller, &cs.Streams[0].Callee} {
			f.Formats = []metadata.Format{pcmu, as}
		}
	}
	describe(&c.cs, 101)
	c.begin()
	s := rec.Accept()
	c.await(metadata.StateRecording)
	var seq, stamp uint16
	press := func(m *peer.Media, pt byte, keys ...byte) {
		to, _ := c.relay.Local(0, 0)
		if m == c.callee {
			to, _ = c.relay.Local(1, 0)
		}
		for _, key := range keys {
			stamp += 800
			for range 3 {
				seq++
				m.SendRaw(to, []byte{0x80, pt, byte(seq >> 8), byte(seq), 0, 0, byte(stamp >> 8), byte(stamp), 0, 0, 0, 9, key, 0x8a, 3, 32})
			}
		}
	}
	press(c.callee, 101, 10, 1) // not his to say
	press(c.caller, 101, 4, 10, 1)
	s.Update()
	c.await(metadata.StatePaused)
	c.change(func(cs *metadata.Snapshot) {
		describe(cs, 97)
		cs.Streams[0].Caller.Formats = append(cs.Streams[0].Caller.Formats, metadata.Format{PT: 8, Name: "PCMA", Clock: 8000})
	})
	s.Update()
	press(c.caller, 97, 11, 1)
	s.Update()
	c.await(metadata.StateRecording)
	if swallow { // what follows the keys arrives, and is all there is
		to, _ := c.relay.Local(forker.SideA, 0)
		c.caller.Send(to)
		if all := c.callee.Await("what is said", func(all []peer.Packet) bool { return len(all) > 0 }); len(all) != 1 || all[0].PT != 0 {
			t.Errorf("the callee got %d packets, the first of payload type %d", len(all), all[0].PT)
		}
	} else {
		c.callee.Await("events", func(all []peer.Packet) bool { return len(all) == 5*3 })
	}
	c.caller.Await("the callee's events", func(all []peer.Packet) bool { return len(all) == 2*3 }) // which may not steer
	c.end()
	s.End()
}
