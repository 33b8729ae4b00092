package src

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/metadata"
	"sidetrack/policy"
)

func format(pt uint8, name string) metadata.Format {
	return metadata.Format{PT: pt, Name: name, Clock: 8000, Channels: 1}
}

func audio(index int, formats ...metadata.Format) metadata.MediaStream {
	f := metadata.Flow{Formats: formats, Sends: true, Ptime: "20"}
	return metadata.MediaStream{Index: index, Kind: "audio", Caller: f, Callee: f}
}

func snapshot(streams ...metadata.MediaStream) metadata.Snapshot {
	return metadata.Snapshot{Streams: streams}
}

// pt are our numbers for the call's.
func (p *payloads) pt() map[uint8]uint8 {
	out := map[uint8]uint8{}
	for _, c := range p.carried {
		if c.offered {
			out[c.codec.PT] = c.ours
		}
	}
	return out
}

// A payload type keeps its codec for the life of the m-line, whatever numbers
// the call deals out (RFC 3264 §8.3.2).
func TestNumbering(t *testing.T) {
	steps := []struct {
		formats []metadata.Format
		want    string // offered, as PT=name
		pt      map[uint8]uint8
	}{
		{[]metadata.Format{format(0, "PCMU"), format(101, "telephone-event")}, "0=PCMU 101=telephone-event", map[uint8]uint8{0: 0, 101: 101}},
		{[]metadata.Format{format(96, "iLBC"), format(97, "telephone-event")}, "96=iLBC 101=telephone-event", map[uint8]uint8{96: 96, 97: 101}},
		{[]metadata.Format{format(96, "SPEEX"), format(101, "G726-32")}, "127=SPEEX 126=G726-32", map[uint8]uint8{96: 127, 101: 126}},
		{[]metadata.Format{format(96, "ilbc"), format(0, "PCMU")}, "96=ilbc 0=PCMU", map[uint8]uint8{96: 96, 0: 0}},
		{[]metadata.Format{format(98, "iLBC"), format(99, "iLBC")}, "96=iLBC 99=iLBC", map[uint8]uint8{98: 96, 99: 99}},
		{[]metadata.Format{format(8, "PCMA"), {PT: 121, Name: "red", Clock: 8000, Fmtp: "8/8"}, format(122, "ulpfec"), {PT: 123, Name: "rtx", Clock: 8000, Fmtp: "apt=8"}, format(101, "telephone-event")},
			"8=PCMA 101=telephone-event", map[uint8]uint8{8: 8, 101: 101}},
		{[]metadata.Format{{PT: 50}, {PT: 51, Name: "x"}, format(8, "PCMA")}, "8=PCMA", map[uint8]uint8{8: 8}},
	}
	var p payloads
	for i, step := range steps {
		if !p.follow(step.formats) {
			t.Errorf("step %d: no change", i)
		}
		var got []string
		for _, f := range p.formats {
			got = append(got, fmt.Sprintf("%d=%s", f.PT, f.Name))
		}
		if strings.Join(got, " ") != step.want || !maps.Equal(p.pt(), step.pt) {
			t.Errorf("step %d: %v %v, wanted %s %v", i, got, p.pt(), step.want, step.pt)
		}
		if p.follow(step.formats) {
			t.Errorf("step %d: the same is a change", i)
		}
	}
}

// What is answered is composed with what was offered; a number that means
// something else by now is left out.
func TestLivePayloads(t *testing.T) {
	var p payloads
	p.follow([]metadata.Format{format(96, "iLBC"), format(101, "telephone-event")})
	o := p.carried
	answer := map[uint8]uint8{96: 110, 101: 111}
	if got := p.live(o, answer); !maps.Equal(got, map[uint8]uint8{96: 110, 101: 111}) {
		t.Errorf("live: %v", got)
	}
	p.follow([]metadata.Format{format(96, "SPEEX"), format(101, "telephone-event")})
	if got := p.live(o, answer); !maps.Equal(got, map[uint8]uint8{101: 111}) {
		t.Errorf("live after the change: %v", got)
	}
}

// Many changes of codec must not run out of numbers in a way that loops or panics.
func TestNumberingExhausted(t *testing.T) {
	var p payloads
	for i := range 300 {
		p.follow([]metadata.Format{format(96, fmt.Sprintf("codec%d", i)), format(97, fmt.Sprintf("other%d", i))})
		if len(p.formats) != 2 || p.formats[0].PT == p.formats[1].PT {
			t.Fatalf("step %d: %+v", i, p.formats)
		}
	}
}

// The m-lines of a session: labels, order, hold.
func TestFollow(t *testing.T) {
	type step struct {
		cs   metadata.Snapshot
		want string // per m-line: label, + live - gone, ! held
	}
	oneWay := audio(0, format(0, "PCMU"))
	oneWay.Callee.Sends = false
	secure := audio(0, format(0, "PCMU"))
	secure.Secure = true
	video := audio(0, format(99, "H264"))
	video.Kind = "video"
	tests := []struct {
		name   string
		tracks policy.Tracks
		steps  []step
	}{
		{"two parties", policy.TracksBoth, []step{
			{snapshot(audio(0, format(0, "PCMU"))), "1+ 2+"},
			{snapshot(oneWay), "1+! 2+!"},
			{snapshot(audio(0, format(0, "PCMU"))), "1+ 2+"},
		}},
		{"one-way from the beginning", policy.TracksBoth, []step{{snapshot(oneWay), "1+ 2+"}, {snapshot(oneWay), "1+ 2+"}}},
		{"video beside audio", policy.TracksBoth, []step{
			{snapshot(video, audio(1, format(0, "PCMU"))), "1+ 2+"},
			{snapshot(video, audio(1, format(0, "PCMU")), audio(2, format(8, "PCMA"))), "1+ 2+ 3+ 4+"},
			{snapshot(video), "1- 2- 3- 4-"},
		}},
		{"callee alone", policy.TracksCallee, []step{{snapshot(audio(0, format(0, "PCMU")), audio(1, format(0, "PCMU"))), "2+ 4+"}}},
		{"encrypted", policy.TracksBoth, []step{
			{snapshot(secure), ""},
			{snapshot(audio(0, format(0, "PCMU"))), "1+ 2+"},
			{snapshot(secure), "1- 2-"},
		}},
		{"nothing described", policy.TracksBoth, []step{{snapshot(audio(0, metadata.Format{PT: 99})), ""}}},
		{"turned into a fax", policy.TracksCaller, []step{{snapshot(audio(0, format(0, "PCMU"))), "1+"}, {snapshot(video), "1-"}}},
	}
	for _, test := range tests {
		l := streams{tracks: test.tracks, dialect: &Dialect{}}
		for i, step := range test.steps {
			l.follow(&step.cs)
			var got []string
			for _, st := range l.all {
				mark := st.label + "+"
				if st.gone {
					mark = st.label + "-"
				}
				if st.held {
					mark += "!"
				}
				got = append(got, mark)
			}
			if strings.Join(got, " ") != step.want {
				t.Errorf("%s, step %d: %v, wanted %s", test.name, i, got, step.want)
			}
		}
	}
}

const goldenAnswer = `v=0
o=- 4711 7 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
m=audio 20000 RTP/AVP 0 111
a=rtpmap:0 PCMU/8000
a=rtpmap:111 telephone-event/8000
a=fmtp:111 0-15
a=ptime:20
a=sendonly
a=label:1
m=audio 20002 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=ptime:20
a=inactive
a=label:2
m=video 0 RTP/AVP 99 100
a=inactive
`

// The answer to an offer of the SRS, byte for byte.
func TestAnswerGolden(t *testing.T) {
	pcmu := sdp.Format{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}
	dtmf := sdp.Format{PT: 101, Name: "telephone-event", Clock: 8000, Channels: 1, Fmtp: "0-15"}
	ours := []sdp.OfferMedia{
		{Kind: "audio", Port: 20000, Formats: []sdp.Format{pcmu, dtmf}, Direction: sdp.SendOnly, Label: "1", Ptime: "20"},
		{Kind: "audio", Port: 20002, Formats: []sdp.Format{pcmu, dtmf}, Direction: sdp.SendOnly, Label: "2", Ptime: "20"},
	}
	theirs, err := sdp.Parse([]byte("v=0\r\no=srs 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n" +
		"m=audio 4000 RTP/AVP 0 111\r\na=rtpmap:111 telephone-event/8000\r\na=recvonly\r\n" +
		"m=audio 4002 RTP/AVP 0\r\na=inactive\r\n" +
		"m=video 4004 RTP/AVP 99 100\r\na=recvonly\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	said := sdp.MatchAnswer(ours, theirs)
	media, usable := answerMedia(ours, said, theirs)
	o := origin{sessionID: 4711, addr: netip.MustParseAddr("192.0.2.1")}
	got := strings.ReplaceAll(string(o.describe(7, media)), "\r\n", "\n")
	if !usable || got != goldenAnswer {
		t.Errorf("usable %v, answer:\n%s\nwanted:\n%s", usable, got, goldenAnswer)
	}
	if !said[0].Send || said[1].Send {
		t.Errorf("may be sent: %v, %v", said[0].Send, said[1].Send)
	}
}

// The description comes first, each part with the headers of RFC 7866 §9.1.
func TestBody(t *testing.T) {
	b := metadata.NewBuilder(metadata.BuilderConfig{})
	m := sip.NewRequest("INVITE", "sip:srs")
	if err := new(Dialect).fill(m, []byte("v=0\r\n"), b.Complete(metadata.Snapshot{}, nil, testTime)); err != nil {
		t.Fatal(err)
	}
	parts := body.Parts(m)
	if len(parts) != 2 || parts[0].ContentType != "application/sdp" || string(parts[0].Body) != "v=0\r\n" ||
		parts[1].ContentType != "application/rs-metadata+xml" || parts[1].Disposition != "recording-session" {
		t.Errorf("body: %s\n%s", m.Get("Content-Type"), m.Body)
	}
	if !slices.Contains(strings.Split(m.Get("Content-Type"), ";"), "multipart/mixed") {
		t.Errorf("Content-Type: %s", m.Get("Content-Type"))
	}
}

// Nothing that an SRS offers may make us answer other m-lines than it has.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=recvonly\r\n"))
	f.Add([]byte("v=0\nm=audio 0 RTP/AVP 0\nm=audio 1 RTP/SAVP 0\na=label:2\nm=audio 2 udptl t38\na=label:1\n"))
	pcmu := sdp.Format{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}
	f.Fuzz(func(t *testing.T, raw []byte) {
		theirs, err := sdp.Parse(raw)
		if err != nil {
			return
		}
		ours := []sdp.OfferMedia{
			{Kind: "audio", Port: 20000, Formats: []sdp.Format{pcmu}, Direction: sdp.SendOnly, Label: "1"},
			{Kind: "audio", Port: 20002, Formats: []sdp.Format{pcmu}, Direction: sdp.SendOnly, Label: "2"},
		}
		said := sdp.MatchAnswer(ours, theirs)
		media, _ := answerMedia(ours, said, theirs)
		if len(media) != len(theirs.Media()) {
			t.Fatalf("%d m-lines answered to %d", len(media), len(theirs.Media()))
		}
		for i, m := range media {
			if m.Port != 0 && (len(m.Formats) == 0 || theirs.Media()[i].Port == 0) {
				t.Fatalf("m-line %d: %+v", i, m)
			}
		}
	})
}
