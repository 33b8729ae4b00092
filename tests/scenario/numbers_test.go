package scenario_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"sidetrack/tests/peer"
)

// asSent checks that a stream holds the party's packets with their SSRC, numbers and timestamps, each once.
func asSent(t *testing.T, stream, from *peer.Media) {
	t.Helper()
	sent, last := from.SentPackets(), 0
	for _, p := range stream.Packets() {
		o := sent[p.Number-1]
		if p.Party != from.Party || p.SSRC != o.SSRC || p.Seq != o.Seq || p.Stamp != o.Stamp || p.Marker != o.Marker {
			t.Fatalf("%s's number %d leaves as %x %d %d, sent as %x %d %d", from.Party, p.Number, p.SSRC, p.Seq, p.Stamp, o.SSRC, o.Seq, o.Stamp)
		}
		if p.Number <= last {
			t.Fatalf("%s's number %d after %d", from.Party, p.Number, last)
		}
		last = p.Number
	}
}

// With ssrc: source the SRS has each packet under the numbers that its party gave it: over a pause, over a new source under
// the same label, and over a move to another SRS; reports and BYE name the sources.
func TestCopiesKeepTheSourcesNumbers(t *testing.T) {
	st := newStage(t, setup{srs: 2, recorder: "    ssrc: source"})
	c := st.establish(dialing{})
	rs := st.srss[0].Accept()
	c.recorded(rs, 20)
	id := st.sys.recordings()[0].str("id")
	paused := post(st, "/api/v1/recordings/"+id+"/pause", 200)
	rs.Update()
	<-paused
	c.heard(10)
	resumed := post(st, "/api/v1/recordings/"+id+"/resume", 200)
	rs.Update()
	<-resumed
	c.recorded(rs, 10)
	c.b.Quiet()
	c.b.Restart() // another phone
	c.b.Talk(c.bTo.rtp)
	c.recorded(rs, 10)
	moved := post(st, "/api/v1/recordings/"+id+"/move", 200)
	rs.End()
	next := st.srss[1].Accept()
	<-moved
	c.recorded(next, 20)
	c.quiet()
	c.hangUp()
	next.End()
	for _, s := range []*peer.Session{rs, next} {
		asSent(t, s.Streams["1"], c.a)
		asSent(t, s.Streams["2"], c.b)
	}
	if n := len(rs.Streams["2"].Packets()); rs.Streams["2"].Packets()[n-1].SSRC == rs.Streams["2"].Packets()[0].SSRC {
		t.Error("the new source is not seen")
	}
	ssrcs := []uint32{c.a.SSRC}
	next.Streams["1"].AwaitRTCP("a BYE of the source", func(b []byte) bool {
		for len(b) >= 8 {
			size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
			if b[1] == 203 && slices.Contains(ssrcs, binary.BigEndian.Uint32(b[4:])) {
				return true
			}
			b = b[size:]
		}
		return false
	})
}
