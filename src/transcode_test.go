package src_test

import (
	"slices"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// wideband makes the call speak G.722.
func wideband(c *call) {
	for _, f := range []*metadata.Flow{&c.cs.Streams[0].Caller, &c.cs.Streams[0].Callee} {
		f.Formats = []metadata.Format{{PT: 9, Name: "G722", Clock: 8000, Channels: 1}, events}
	}
	c.caller.PT, c.callee.PT = 9, 9
}

// transcoded waits for copies in G.711 that are as long as what was said.
func transcoded(t *testing.T, c *call, s *peer.Session, pt uint8) {
	t.Helper()
	for label := range map[string]bool{"1": true, "2": true} {
		got := s.Streams[label].Await("copies", func(all []peer.Packet) bool { return len(all) >= 20 })
		for i, p := range got[1:] {
			if p.PT != pt || len(p.Payload) != 160 || p.Party != "" || p.Seq != got[i].Seq+1 || p.Stamp != got[i].Stamp+160 {
				t.Fatalf("label %s: %+v after %+v", label, p, got[i])
			}
		}
	}
}

// The SRS is offered G.711 alone, or behind the call's codecs, and gets it where it takes nothing else.
func TestTranscode(t *testing.T) {
	for mode, want := range map[src.Transcode][]string{
		src.TranscodePCMA: {"8", "101"}, src.TranscodePCMU: {"0", "101"}, src.TranscodeFallback: {"9", "8", "0", "101"},
	} {
		t.Run(string(mode), func(t *testing.T) {
			rec := newSRS(t, "srs")
			pt := 8
			if mode == src.TranscodePCMU {
				pt = 0
			}
			rec.Dress = func(_ *peer.Session, _ peer.SDPMedia, line *peer.Line) { line.Payload, line.Map = pt, "" }
			r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.recorder.Transcode = mode })
			c := r.newCall()
			wideband(c)
			c.talk()
			c.begin()
			s := rec.Accept()
			for _, m := range s.Offer().Media {
				if !slices.Equal(m.Formats, want) {
					t.Errorf("offered %v, want %v", m.Formats, want)
				}
			}
			transcoded(t, c, s, uint8(pt))
			c.end()
			s.End()
			c.ended(src.Complete)
		})
	}
}

// An SRS that takes the call's codec gets it as it is.
func TestFallbackIsNotNeeded(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.recorder.Transcode = src.TranscodeFallback })
	c := r.newCall()
	wideband(c)
	c.talk()
	c.begin()
	s := rec.Accept()
	hears(t, c, s)
	c.end()
	s.End()
	c.ended(src.Complete)
}

// A call that cannot be decoded is refused with a reason, and nobody is asked: where G.711 alone is wanted, and where both
// parties are to be mixed.
func TestNothingToTranscode(t *testing.T) {
	for name, with := range map[string]func(*setup){
		"always": func(s *setup) { s.recorder.Transcode = src.TranscodePCMA }, "mixed": mixing(""), "mixed, fallback": mixing(src.TranscodeFallback),
	} {
		t.Run(name, func(t *testing.T) { testNothingToTranscode(t, with) })
	}
}

func testNothingToTranscode(t *testing.T, with func(*setup)) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, with)
	c := r.newCall()
	for _, f := range []*metadata.Flow{&c.cs.Streams[0].Caller, &c.cs.Streams[0].Callee} {
		f.Formats = []metadata.Format{{PT: 18, Name: "G729", Clock: 8000, Channels: 1}, events}
	}
	c.begin()
	if v := c.ended(src.Refused); v.Reason != "the call speaks no codec that can be turned into G.711" {
		t.Errorf("%+v", v)
	}
	c.end()
}
