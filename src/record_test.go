package src_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// A call is recorded from its answer to its end, each party in its own stream.
func TestRecords(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			rec := newSRS(t, "srs", network)
			r := newRig(t, []string{rec.URI(";transport=" + network)}, func(s *setup) {
				value, err := policy.ParseTemplate("X-Tenant", `{{.From.User}}/{{.Header "X-Queue"}}`)
				if err != nil {
					t.Fatal(err)
				}
				s.recorder.Headers = []src.HeaderTemplate{{Name: "X-Tenant", Value: value}}
				s.recorder.FromURI = "sip:src@proxy.test"
			})
			c := r.newCall()
			c.talk()
			if c.begin() {
				t.Error("recording is required")
			}
			s := rec.Accept()
			checkInvite(t, s.Invite, rec.URI(";transport="+network))
			hears(t, c, s)
			if got, want := s.Doc().Sender("1")+" "+s.Doc().Sender("2"), "sip:alice@pbx.test sip:bob@pbx.test"; got != want {
				t.Errorf("metadata names %s as senders, wanted %s", got, want)
			}
			v := c.await(metadata.StateRecording)
			checkView(t, c, v, s)

			c.end()
			bye := s.End()
			checkLastDocument(t, bye)
			v = c.ended(src.Complete)
			if v.Streams[0].PacketsCopied == 0 || v.Streams[0].PacketsIn < v.Streams[0].PacketsCopied {
				t.Errorf("packets after the end: %+v", v.Streams[0])
			}
			r.hasTold("start stop")
			c.hasBeenTold("recording ended")
			if !peer.Eventually(func() bool { return r.media.Ports().Used == 0 }) {
				t.Errorf("ports left: %+v", r.media.Ports())
			}
		})
	}
}

// SRC-02, SRC-03, SRC-05, SRC-10, SRC-11, SRC-23, XML-11, SDP-02, SDP-03, MD-07, MD-09 to MD-11; the rest is in
// peer.Problems.
func checkInvite(t *testing.T, in *peer.Incoming, uri string) {
	t.Helper()
	for name, want := range map[string]string{
		"From": "<sip:src@proxy.test>;tag=", "To": "<" + uri + ">", "X-Tenant": "alice/sales", "Max-Forwards": "70",
		"Accept": "application/sdp, application/rs-metadata+xml", "User-Agent": "sidetrack/test", "Content-Type": "multipart/mixed;boundary=",
	} {
		if !strings.HasPrefix(in.Get(name), want) {
			t.Errorf("%s: %q, wanted %q", name, in.Get(name), want)
		}
	}
	if in.URI() != uri {
		t.Errorf("Request-URI %q, wanted %q", in.URI(), uri)
	}
	if !slices.Contains(in.Tokens("Allow"), "update") || slices.Contains(in.Tokens("Supported"), "siprec") {
		t.Errorf("Allow %q, Supported %q", in.Get("Allow"), in.Get("Supported"))
	}
	if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", in.Get("Date")); err != nil {
		t.Errorf("Date: %v", err)
	}
	sdp := peer.ParseSDP(in.SDP())
	if len(sdp.Media) != 2 {
		t.Fatalf("%d m-lines", len(sdp.Media))
	}
	for i, m := range sdp.Media {
		if m.Label != []string{"1", "2"}[i] || m.Direction != "sendonly" || m.Proto != "RTP/AVP" ||
			!slices.Equal(m.Formats, []string{"0", "101"}) || m.Attr("ptime") != "20" || m.Attr("rtcp") != "" {
			t.Errorf("m-line %d: %+v", i, m)
		}
	}
}

func checkView(t *testing.T, c *call, v src.View, s *peer.Session) {
	t.Helper()
	if v.CallID != c.cs.ID || v.Call.SIPCallID != c.cs.SIPCallID || v.Recorder != "main" || v.SIPCallID != s.Invite.CallID() ||
		v.SRS != s.Invite.URI() || len(v.Attempts) != 1 || v.Attempts[0].Code != 200 || v.Rule != "all" {
		t.Errorf("view: %+v", v)
	}
	if len(v.Streams) != 2 || v.Streams[0].Party != metadata.Caller || v.Streams[1].Codec != "PCMU/8000" || v.Streams[0].Paused {
		t.Errorf("streams: %+v", v.Streams)
	}
	if id, err := metadata.ParseUUID(v.ID); err != nil || string(id.ID()) != s.Doc().Sessions[0].ID {
		t.Errorf("id %q, session id %q", v.ID, s.Doc().Sessions[0].ID)
	}
}

// The BYE carries what has changed: the end. It holds no labels (SDP-04) and is partial (FLOW-08).
func checkLastDocument(t *testing.T, bye *peer.Incoming) {
	t.Helper()
	if d := bye.Get("Content-Disposition"); d != "recording-session" {
		t.Errorf("Content-Disposition of the BYE: %q", d)
	}
	doc, err := metadata.Parse(bye.Body)
	if err != nil {
		t.Fatalf("last document: %v\n%s", err, bye.Body)
	}
	if doc.Mode() != metadata.Partial || len(doc.Sessions) != 1 || doc.Sessions[0].Stop.IsZero() {
		t.Errorf("last document: %s", bye.Body)
	}
	for _, a := range doc.ParticipantSessionAssocs {
		if a.Disassociated.IsZero() {
			t.Errorf("participant stays after the end: %s", bye.Body)
		}
	}
	if strings.Contains(string(bye.Body), "<label") {
		t.Errorf("label without description: %s", bye.Body)
	}
}

// Nothing is sent for calls that no rule wants, or before the answer.
func TestNotRecorded(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")})
	c := r.newCall()
	c.cs.State, c.cs.Answered = metadata.CallEarly, time.Time{}
	c.begin()
	other := newRig(t, []string{rec.URI("")}, func(s *setup) { s.rule.Recorder = policy.NoRecorder })
	d := other.newCall()
	d.begin()
	c.end()
	d.end()
	if in := rec.Maybe("INVITE", 200*time.Millisecond); in != nil {
		t.Error("INVITE for a call that is not to be recorded")
	}
	if all := append(r.client.Recordings(), other.client.Recordings()...); len(all) != 0 {
		t.Errorf("recordings: %+v", all)
	}
}

// start: early begins with the first answer of the call, whatever its state.
func TestEarly(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, early)
	c := r.newCall()
	answered := c.cs.Answered
	c.cs.State, c.cs.Answered = metadata.CallEarly, time.Time{}
	c.talk()
	c.begin()
	s := rec.Accept()
	hears(t, c, s)
	c.change(func(cs *metadata.Snapshot) { cs.State, cs.Answered = metadata.CallAnswered, answered })
	hears(t, c, s)
	c.end()
	s.End()
	c.ended(src.Complete)
}

// Calls that cannot be recorded say so, and no packet of them leaves.
func TestNotRecordable(t *testing.T) {
	rec := newSRS(t, "srs")
	tests := []struct {
		name   string
		opts   []func(*setup)
		alter  func(*metadata.MediaStream)
		result src.Result
	}{
		{"encrypted", nil, func(m *metadata.MediaStream) { m.Secure = true }, src.Refused},
		{"encrypted, keys known", nil, func(m *metadata.MediaStream) { m.Secure, m.Keyed = true, true }, src.Refused},
		{"video, required", []func(*setup){required}, func(m *metadata.MediaStream) { m.Kind = "video" }, src.Refused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, []string{rec.URI("")}, test.opts...)
			c := r.newCall()
			test.alter(&c.cs.Streams[0])
			c.begin()
			c.ended(test.result)
			c.hasBeenTold("ended")
			c.end()
		})
	}
}

// A call that gets its audio later is recorded from then on.
func TestAudioLater(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")})
	c := r.newCall()
	c.cs.Streams[0].Kind = "image"
	c.begin()
	c.change(func(cs *metadata.Snapshot) { cs.Streams[0].Kind = "audio" })
	c.talk()
	s := rec.Accept()
	hears(t, c, s)
	c.end()
	s.End()
	c.ended(src.Complete)
}

// tracks: callee records one stream, under the callee's label.
func TestOneTrack(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.rule.Tracks = policy.TracksCallee })
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	if !slices.Equal(s.Labels, []string{"2"}) {
		t.Errorf("labels %v", s.Labels)
	}
	hears(t, c, s)
	c.end()
	s.End()
	c.ended(src.Complete)
}

// A recording whose time comes when the client has closed does not begin: nobody would end it. The call's owner and the
// verdict say so.
func TestNothingBeginsAfterClose(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, required)
	c := r.newCall()
	c.cs.State = metadata.CallEarly
	c.begin()
	if err := r.client.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.change(func(cs *metadata.Snapshot) { cs.State = metadata.CallAnswered })
	c.hasBeenTold("ended")
	if in := rec.Maybe("INVITE", 0); in != nil {
		t.Error("the SRS was asked")
	}
	if len(r.verdicts) != 1 || r.verdicts[0].View.Result != src.Failed || !r.verdicts[0].Required || r.verdicts[0].View.Recorder != "main" {
		t.Errorf("%+v", r.verdicts)
	}
}
