package src_test

import (
	"strings"
	"testing"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/src"
)

// The place of an m-line that the call has disabled is used again, for another kind or the same (RFC 3264 §8.1): the new
// stream is recorded as one, and the old one has ended.
func TestPlaceUsedAgain(t *testing.T) {
	vp8 := metadata.Format{PT: 97, Name: "VP8", Clock: 90000}
	formats := map[string][]metadata.Format{"audio": {pcmu}, "video": {vp8}}
	for name, tt := range map[string]struct {
		kinds []string // of the call's second m-line, one after another, disabled between
		want  string   // what is offered at last: label, kind, and whether it is disabled
	}{
		"audio, then video":        {[]string{"audio", "video"}, "1 audio, 2 audio, 3 audio off, 4 audio off, 5 video, 6 video"},
		"video, then audio":        {[]string{"video", "audio"}, "1 audio, 2 audio, 3 video off, 4 video off, 5 audio, 6 audio"},
		"audio again":              {[]string{"audio", "audio"}, "1 audio, 2 audio, 3 audio, 4 audio"},
		"audio, video, then audio": {[]string{"audio", "video", "audio"}, "1 audio, 2 audio, 3 audio, 4 audio, 5 video off, 6 video off"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newSRS(t, "srs")
			r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.rule.Media = []string{"audio", "video"} })
			c := r.newCall()
			if err := c.relay.SetStreams(2); err != nil {
				t.Fatal(err)
			}
			place := func(kind string, on bool) metadata.MediaStream {
				f := metadata.Flow{Formats: formats[kind], Sends: on}
				if !on {
					f.Formats = nil
				}
				m := metadata.MediaStream{Index: 1, Kind: kind, Caller: f, Callee: f}
				c.caller.PT = formats[kind][0].PT
				c.relay.SetRemote(forker.SideA, 1, forker.Remote{RTP: c.caller.Addr(), RTPKind: true, Sends: on})
				c.relay.SetRemote(forker.SideB, 1, forker.Remote{RTP: c.callee.Addr(), RTPKind: true, Sends: on})
				return m
			}
			c.cs.Streams = append(c.cs.Streams, place(tt.kinds[0], true))
			c.begin()
			s := rec.Accept()
			c.await(metadata.StateRecording)
			said := func(kind string) {
				t.Helper()
				label := ""
				for _, m := range s.Offer().Media {
					if m.Kind == kind && m.Port != 0 && (m.Label != "1" && m.Label != "2") && label == "" {
						label = m.Label
					}
				}
				if label == "" {
					t.Fatalf("no %s is offered", kind)
				}
				to, _ := c.relay.Local(forker.SideA, 1)
				from := c.caller.Sent()
				for range 5 {
					c.caller.Send(to)
				}
				s.Streams[label].AwaitFrom("caller", from, 5)
				if sender := s.Doc().Sender(label); sender != c.cs.Caller.AOR {
					t.Errorf("label %s is sent by %q", label, sender)
				}
			}
			said(tt.kinds[0])
			for i, kind := range tt.kinds[1:] {
				c.change(func(cs *metadata.Snapshot) { cs.Streams[1] = place(tt.kinds[i], false) })
				s.Update()
				c.change(func(cs *metadata.Snapshot) { cs.Streams[1] = place(kind, true) })
				s.Update()
				said(kind)
			}
			var got []string
			for _, m := range s.Offer().Media {
				line := m.Label + " " + m.Kind
				if m.Port == 0 {
					line += " off"
				}
				got = append(got, line)
			}
			if offered := strings.Join(got, ", "); offered != tt.want {
				t.Errorf("offered %s, want %s", offered, tt.want)
			}
			for _, m := range s.Offer().Media {
				if sender := s.Doc().Sender(m.Label); m.Port == 0 && sender != "" {
					t.Errorf("label %s, which has ended, is sent by %s", m.Label, sender)
				}
			}
			c.end()
			s.End()
			c.ended(src.Complete)
		})
	}
}
