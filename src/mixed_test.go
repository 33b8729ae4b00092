package src_test

import (
	"slices"
	"strings"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

func mixing(transcode src.Transcode) func(*setup) {
	return func(s *setup) {
		s.recorder.Dialect = src.Dialect{Streams: src.StreamsMixed}
		s.recorder.Transcode = transcode
	}
}

// A recorder that wants both parties in one stream gets one m-line of G.711, one label, and one stream in the metadata
// that both send and receive; a hold pauses it, and what is masked of one party leaves the other one audible.
func TestMixedStream(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, mixing(""))
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	offer := s.Offer().Media
	if len(offer) != 1 || offer[0].Label != "1" || offer[0].Direction != "sendonly" || !slices.Equal(offer[0].Formats, []string{"0", "8"}) {
		t.Fatalf("offered %+v", offer)
	}
	doc := s.Doc()
	if len(doc.Streams) != 1 || doc.Streams[0].Label != "1" || len(doc.Participants) != 2 {
		t.Fatalf("told %+v", doc)
	}
	for i, a := range doc.ParticipantM {
		if !slices.Equal(a.Sends, []string{doc.Streams[0].ID}) || !slices.Equal(a.Receives, a.Sends) {
			t.Errorf("participant %d: %+v", i, a)
		}
	}
	got := s.Streams["1"].Await("a second of the mix", func(all []peer.Packet) bool { return len(all) >= 50 })
	for i, p := range got[1:] {
		if p.SSRC != got[0].SSRC || p.Seq != got[i].Seq+1 || p.Stamp != got[i].Stamp+peer.Frame || p.PT != 0 {
			t.Fatalf("packet %d: %+v after %+v", i+1, p, got[i])
		}
	}
	if v := c.view(); len(v.Streams) != 1 || v.Streams[0].Party != metadata.Both || v.Streams[0].Codec != "PCMU/8000" {
		t.Errorf("shown as %+v", v.Streams)
	}
	c.hold(true)
	update := s.Update()
	if m := s.Offer().Media; len(m) != 1 || m[0].Direction != "inactive" || !strings.Contains(string(update.Body), "<label>1</label>") {
		t.Errorf("held: %+v", m)
	}
	n := len(s.Streams["1"].Packets())
	c.hold(false)
	s.Update()
	s.Streams["1"].Await("more of the mix", func(all []peer.Packet) bool { return len(all) > n+20 })
	finish(t, c, s)
}

// With transcode to one law only that is offered.
func TestMixedInOneLaw(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, mixing(src.TranscodePCMA))
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	if m := s.Offer().Media[0]; !slices.Equal(m.Formats, []string{"8"}) {
		t.Errorf("offered %v", m.Formats)
	}
	s.Streams["1"].Await("the mix", func(all []peer.Packet) bool { return len(all) > 20 && all[20].PT == 8 })
	finish(t, c, s)
}
