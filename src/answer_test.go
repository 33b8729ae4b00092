package src_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// line is a plain line of an answer for the stream of that label.
func line(s *peer.Session, label string) peer.Line {
	return peer.Line{Media: s.Streams[label], Direction: "recvonly", Label: label}
}

func unlabelled(l peer.Line) peer.Line { l.Label = ""; return l }

func directed(l peer.Line, direction string) peer.Line { l.Direction = direction; return l }

// Answers as recorders give them. The position decides, labels are a check
// (opensips-style labels, missing ones), a refused stream does not stop the
// other, and the answer's codecs and numbers are used.
func TestAnswers(t *testing.T) {
	tests := []struct {
		name   string
		answer func(*peer.Session) []byte
		want   map[string]string // label of the socket → party heard there
	}{
		{"no labels", func(s *peer.Session) []byte {
			return peer.BuildSDP(1, unlabelled(line(s, "1")), unlabelled(line(s, "2")))
		}, map[string]string{"1": "caller", "2": "callee"}},
		{"labels of its own", func(s *peer.Session) []byte {
			a, b := line(s, "1"), line(s, "2")
			a.Label, b.Label = "0", "1"
			return peer.BuildSDP(1, a, b)
		}, map[string]string{"1": "caller", "2": "callee"}},
		{"swapped sections, labelled", func(s *peer.Session) []byte {
			return peer.BuildSDP(1, line(s, "2"), line(s, "1"))
		}, map[string]string{"1": "caller", "2": "callee"}},
		{"one section", func(s *peer.Session) []byte {
			return peer.BuildSDP(1, unlabelled(line(s, "1")))
		}, map[string]string{"1": "caller"}},
		{"second one refused", func(s *peer.Session) []byte {
			return peer.BuildSDP(1, line(s, "1"), peer.Line{Label: "2"})
		}, map[string]string{"1": "caller"}},
		{"first one refused", func(s *peer.Session) []byte {
			return peer.BuildSDP(1, peer.Line{}, unlabelled(line(s, "2")))
		}, map[string]string{"2": "callee"}},
		{"sections of its own invention", func(s *peer.Session) []byte {
			return peer.BuildSDP(1, line(s, "1"), line(s, "2"), peer.Line{Media: s.Streams["1"]}, peer.Line{Media: s.Streams["2"]})
		}, map[string]string{"1": "caller", "2": "callee"}},
		{"sendrecv and sendonly", func(s *peer.Session) []byte {
			return peer.BuildSDP(1, directed(line(s, "1"), "sendrecv"), directed(line(s, "2"), "sendonly"))
		}, map[string]string{"1": "caller", "2": "callee"}},
		{"no direction", func(s *peer.Session) []byte {
			return peer.BuildSDP(1, directed(line(s, "1"), ""), directed(line(s, "2"), ""))
		}, map[string]string{"1": "caller", "2": "callee"}},
		{"AVPF", func(s *peer.Session) []byte {
			return bytes.ReplaceAll(peer.BuildSDP(1, line(s, "1"), line(s, "2")), []byte("RTP/AVP"), []byte("RTP/AVPF"))
		}, map[string]string{"1": "caller", "2": "callee"}},
		{"payload 101 and mux that nobody offered", func(s *peer.Session) []byte {
			a, b := line(s, "1"), line(s, "2")
			a.Extra, b.Extra = []string{"rtcp-mux"}, []string{"rtcp-mux", "rtpmap:101 telephone-event/8000"}
			return peer.BuildSDP(1, a, b)
		}, map[string]string{"1": "caller", "2": "callee"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rec := newSRS(t, "srs")
			r := newRig(t, []string{rec.URI("")})
			c := r.newCall()
			c.talk()
			c.begin()
			in := rec.Expect("INVITE")
			s := rec.Take(in)
			in.Reply(200, peer.WithSDP(test.answer(s)))
			in.ExpectOther("ACK")
			for label, party := range test.want {
				s.Streams[label].AwaitFrom(party, 0, 5)
			}
			v := c.await(metadata.StateRecording)
			for i, label := range []string{"1", "2"} {
				for _, p := range s.Streams[label].Packets() {
					if p.Call == c.cs.ID && p.Party != test.want[label] {
						t.Fatalf("the socket of label %s got a packet of %s", label, p.Party)
					}
				}
				if _, ok := test.want[label]; ok == v.Streams[i].Paused {
					t.Errorf("stream %s: %+v", label, v.Streams[i])
				}
			}
			c.end()
			s.End()
			c.ended(src.Complete)
		})
	}
}

// Answers that are none: ACK, BYE, and the next SRS.
func TestUnusableAnswers(t *testing.T) {
	tests := map[string]func(*peer.Session) []peer.Opt{
		"no body": func(*peer.Session) []peer.Opt { return nil },
		"all refused": func(s *peer.Session) []peer.Opt {
			return []peer.Opt{peer.WithSDP(peer.BuildSDP(1, peer.Line{}, peer.Line{}))}
		},
		"another body": func(*peer.Session) []peer.Opt { return []peer.Opt{peer.WithBody("text/plain", []byte("hello"))} },
		"SAVP to AVP": func(s *peer.Session) []peer.Opt {
			b := peer.BuildSDP(1, line(s, "1"), line(s, "2"))
			return []peer.Opt{peer.WithSDP(bytes.ReplaceAll(b, []byte("RTP/AVP"), []byte("RTP/SAVP")))}
		},
		"no common codec": func(s *peer.Session) []peer.Opt {
			a, b := line(s, "1"), line(s, "2")
			a.Payload, b.Payload = 8, 8
			return []peer.Opt{peer.WithSDP(peer.BuildSDP(1, a, b))}
		},
		"garbage": func(*peer.Session) []peer.Opt {
			return []peer.Opt{peer.WithBody("application/sdp", []byte("\x00\xff\xfe no description"))}
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := newSRS(t, "first"), newSRS(t, "second")
			r := newRig(t, []string{first.URI(""), second.URI("")})
			c := r.newCall()
			c.talk()
			c.begin()
			in := first.Expect("INVITE")
			lost := first.Take(in)
			in.Reply(200, answer(lost)...)
			in.ExpectOther("ACK")
			in.ExpectOther("BYE").Reply(200)
			s := second.Accept()
			hears(t, c, s)
			if v := c.view(); v.Attempts[0].Code != 488 {
				t.Errorf("attempts: %+v", v.Attempts)
			}
			if n := c.copies(lost, "1"); n != 0 {
				t.Errorf("%d packets to an SRS that did not take them", n)
			}
			c.end()
			s.End()
			c.ended(src.Complete)
		})
	}
}

// A multipart 200 holds the answer somewhere in it.
func TestMultipartAnswer(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")})
	c := r.newCall()
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	s := rec.Take(in)
	kind, body := peer.Mixed("other-boundary",
		peer.BodyPart{Headers: []peer.Header{{Name: "Content-Type", Value: "application/rs-metadata"}}, Body: []byte("<recording/>")},
		peer.BodyPart{Headers: []peer.Header{{Name: "Content-Type", Value: "application/sdp"}}, Body: s.Answer()})
	in.Reply(200, peer.WithBody(kind, body))
	in.ExpectOther("ACK")
	hears(t, c, s)
	c.end()
	s.End()
	c.ended(src.Complete)
}

// SDP-15: the SRS's own numbers are used towards it.
func TestRenumberedPayload(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")})
	c := r.newCall()
	c.caller.PT, c.callee.PT = 97, 97
	flow := metadata.Flow{Sends: true, Formats: []metadata.Format{{PT: 97, Name: "iLBC", Clock: 8000, Fmtp: "mode=20"}}}
	c.cs.Streams[0].Caller, c.cs.Streams[0].Callee = flow, flow
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	s := rec.Take(in)
	if got := s.Offer().Media[0].Attr("fmtp"); got != "97 mode=20" {
		t.Errorf("fmtp %q", got)
	}
	a, b := line(s, "1"), line(s, "2")
	a.Payload, a.Map, b.Payload, b.Map = 111, "iLBC/8000", 97, "iLBC/8000"
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, a, b)))
	in.ExpectOther("ACK")
	if p := s.Streams["1"].AwaitFrom("caller", 0, 3)[0]; p.PT != 111 {
		t.Errorf("caller comes as %d", p.PT)
	}
	if p := s.Streams["2"].AwaitFrom("callee", 0, 3)[0]; p.PT != 97 {
		t.Errorf("callee comes as %d", p.PT)
	}
	c.end()
	s.End()
	c.ended(src.Complete)
}

// FLOW-14, SDP-11: an SRS that is not ready answers inactive, and asks for the
// media by a re-INVITE of its own.
func TestInitiallyInactive(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")})
	c := r.newCall()
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	s := rec.Take(in)
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, directed(line(s, "1"), "inactive"), directed(line(s, "2"), "inactive"))))
	in.ExpectOther("ACK")
	if v := c.await(metadata.StateRecording); !v.Streams[0].Paused {
		t.Errorf("streams: %+v", v.Streams)
	}
	c.spoken(20)
	if n := c.copies(s, "1") + c.copies(s, "2"); n != 0 {
		t.Errorf("%d packets before the SRS was ready", n)
	}
	out := s.Dialog.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, line(s, "1"), line(s, "2"))))
	resp := out.Expect(200)
	s.Dialog.Ack(resp)
	checkAnswer(t, resp, "sendonly", "sendonly")
	hears(t, c, s)
	c.end()
	s.End()
	c.ended(src.Complete)
}

// checkAnswer checks a response of ours to an offer of the SRS: directions by
// m-line, "refused" for port 0.
func checkAnswer(t *testing.T, resp *peer.Message, want ...string) peer.SDP {
	t.Helper()
	sdp := peer.ParseSDP(resp.SDP())
	var got []string
	for _, m := range sdp.Media {
		if m.Port == 0 {
			m.Direction = "refused"
		}
		got = append(got, m.Direction)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("answered %v, wanted %v", got, want)
	}
	return sdp
}

// An SRS that answers slowly is waited for as long as its time lasts, and gets
// what was said meanwhile.
func TestSlowAnswer(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, timeout(5*time.Second))
	c := r.newCall()
	c.talk()
	c.spoken(10)
	c.begin()
	in := rec.Expect("INVITE")
	forked := c.caller.Sent()
	s := rec.Take(in)
	in.Reply(100)
	time.AfterFunc(700*time.Millisecond, func() { in.Reply(200, peer.WithSDP(s.Answer())) })
	in.ExpectOther("ACK")
	hears(t, c, s)
	whole(t, s.Streams["1"].Packets(), forked)
	c.end()
	s.End()
	c.ended(src.Complete)
}

// whole checks that the first words are there, and all that follow.
func whole(t *testing.T, got []peer.Packet, from int) {
	t.Helper()
	if got[0].Number > from+1 {
		t.Errorf("begins with packet %d, the copy was asked for before %d", got[0].Number, from)
	}
	for i, p := range got {
		if p.Number != got[0].Number+i {
			t.Fatalf("packet %d where %d was to come", p.Number, got[0].Number+i)
		}
	}
}
