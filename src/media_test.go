package src_test

import (
	"strings"
	"testing"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// Video and text are copied where the rule says so, audio always with the first labels; what is not named passes by.
func TestMedia(t *testing.T) {
	for name, tt := range map[string]struct {
		media   []string
		refused string // by the SRS
		want    string // kinds by label
	}{
		"audio by default": {nil, "", "1 audio, 2 audio"},
		"and video":        {[]string{"audio", "video"}, "", "1 audio, 2 audio, 3 video, 4 video"},
		"video refused":    {[]string{"audio", "video"}, "video", "1 audio, 2 audio, 3 video, 4 video"},
		"all":              {[]string{"text", "audio", "video"}, "", "1 audio, 2 audio, 3 video, 4 video, 5 text, 6 text"},
		"video alone":      {[]string{"video"}, "", "1 video, 2 video"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newSRS(t, "srs")
			rec.Dress = func(_ *peer.Session, offered peer.SDPMedia, line *peer.Line) {
				if offered.Kind == tt.refused {
					line.Media = nil
				}
			}
			r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.rule.Media = tt.media })
			c := r.newCall()
			audio := c.cs.Streams[0]
			audio.Index = 1
			line := func(index int, kind string, f metadata.Format) metadata.MediaStream {
				flow := metadata.Flow{Formats: []metadata.Format{f}, Sends: true}
				return metadata.MediaStream{Index: index, Kind: kind, Caller: flow, Callee: flow}
			}
			c.cs.Streams = []metadata.MediaStream{
				line(0, "video", metadata.Format{PT: 97, Name: "VP8", Clock: 90000}), audio,
				line(2, "text", metadata.Format{PT: 98, Name: "t140", Clock: 1000}),
				{Index: 3, Kind: "image"},
			}
			if err := c.relay.SetStreams(4); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				for _, side := range []forker.Side{forker.SideA, forker.SideB} {
					m := c.caller
					if side == forker.SideB {
						m = c.callee
					}
					c.relay.SetRemote(side, i, forker.Remote{RTP: m.Addr(), RTPKind: true, Sends: true})
				}
			}
			c.begin()
			s := rec.Accept()
			var got []string
			for _, m := range s.Offer().Media {
				got = append(got, m.Label+" "+m.Kind)
			}
			if offered := strings.Join(got, ", "); offered != tt.want {
				t.Errorf("offered %s, want %s", offered, tt.want)
			}
			c.await(metadata.StateRecording)
			for i, pt := range map[int]uint8{0: 97, 1: 0, 2: 98} {
				to, _ := c.relay.Local(forker.SideA, i)
				c.caller.PT = pt
				for range 5 {
					c.caller.Send(to)
				}
			}
			for _, m := range s.Offer().Media {
				if m.Label == "2" || m.Label == "4" || m.Label == "6" || m.Kind == tt.refused {
					continue
				}
				want := map[string]uint8{"audio": 0, "video": 97, "text": 98}[m.Kind]
				for _, p := range s.Streams[m.Label].Await("copies", func(all []peer.Packet) bool { return len(all) >= 5 }) {
					if p.PT != want {
						t.Fatalf("label %s, %s, got payload type %d", m.Label, m.Kind, p.PT)
					}
				}
			}
			c.callee.Await("what passes", func(all []peer.Packet) bool { return len(all) >= 15 })
			if tt.refused != "" {
				for label, m := range s.Streams {
					if n := len(m.Packets()); n > 0 && label != "1" {
						t.Errorf("%d packets for label %s", n, label)
					}
				}
			}
			c.end()
			s.End()
			c.ended(src.Complete)
		})
	}
}
