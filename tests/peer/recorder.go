package peer

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Recorder is a Peer that plays the SRS (RFC 7866): it judges what it is sent, answers, and receives the copies.
type Recorder struct {
	*Peer
	ip string

	// Dress, when set, alters each line of an answer; it is given the line of the offer.
	Dress func(s *Session, offered SDPMedia, line *Line)
}

// NewRecorder opens an SRS on ip.
func NewRecorder(t testing.TB, ladder *Ladder, name, ip string, networks ...string) *Recorder {
	t.Helper()
	return &Recorder{Peer: New(t, ladder, name, ip, networks...), ip: ip}
}

// Session is one recording session as the SRS has it.
type Session struct {
	Recorder *Recorder
	Invite   *Incoming
	Dialog   *Dialog
	Labels   []string          // by m-line
	Streams  map[string]*Media // by label: what the SRS receives of it
	Offers   []SDP             // the SRC's, in order
	Docs     []*Metadata       // with them
	version  int               // of our own answers
}

// Problems says what is wrong with a recording INVITE or re-INVITE or with a 200 to the SRS's own, by RFC 7866 §7 and §9, and gives its two parts.
func Problems(m *Message) (SDP, *Metadata, []string) {
	var problems []string
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if m.Request() && !slices.Contains(m.Tokens("Require"), "siprec") {
		bad("no Require: siprec")
	}
	if !strings.Contains(m.Get("Contact"), ";+sip.src") {
		bad("no +sip.src in Contact %q", m.Get("Contact"))
	}
	parts := m.Parts()
	if len(parts) != 2 {
		bad("%d body parts in %q", len(parts), m.Get("Content-Type"))
		return SDP{}, nil, problems
	}
	if parts[0].Type() != "application/sdp" || parts[1].Type() != "application/rs-metadata+xml" {
		bad("parts are %s and %s", parts[0].Type(), parts[1].Type())
	}
	if d := mediaType(parts[1].Get("Content-Disposition")); d != "recording-session" {
		bad("Content-Disposition of the metadata is %q", d)
	}
	sdp := ParseSDP(m.Part("application/sdp"))
	doc, more := ParseMetadata(m.Part("application/rs-metadata+xml"))
	problems = append(problems, more...)
	var labels []string
	for i, media := range sdp.Media {
		if media.Direction != "sendonly" && media.Direction != "inactive" {
			bad("m-line %d is %s", i+1, media.Direction)
		}
		if media.Label == "" || slices.Contains(labels, media.Label) {
			bad("m-line %d has label %q", i+1, media.Label)
		}
		if media.Port != 0 && media.Port%2 != 0 {
			bad("m-line %d has the odd port %d", i+1, media.Port)
		}
		labels = append(labels, media.Label)
	}
	slices.Sort(labels)
	if doc != nil && doc.DataMode == "complete" && !slices.Equal(labels, doc.Labels()) {
		bad("labels %v in the SDP, %v in the metadata", labels, doc.Labels())
	}
	return sdp, doc, problems
}

// Accept awaits a recording INVITE, judges it, answers 200 with a port per stream, and awaits the ACK.
func (r *Recorder) Accept(opts ...Opt) *Session {
	r.t.Helper()
	return r.AcceptInvite(r.Expect("INVITE"), opts...)
}

// AcceptInvite is Accept for an INVITE that has come.
func (r *Recorder) AcceptInvite(in *Incoming, opts ...Opt) *Session {
	r.t.Helper()
	s := r.Take(in)
	in.Reply(200, append([]Opt{WithSDP(s.Answer())}, opts...)...)
	in.ExpectOther("ACK")
	return s
}

// Take judges a recording INVITE and makes the session with its sockets, without answering.
func (r *Recorder) Take(in *Incoming) *Session {
	r.t.Helper()
	s := &Session{Recorder: r, Invite: in, Dialog: in.Dialog(), Streams: map[string]*Media{}}
	s.note(in)
	return s
}

// note judges and keeps an offer with its document, opening sockets for labels not seen before.
func (s *Session) note(in *Incoming) {
	s.Recorder.t.Helper()
	sdp, doc, problems := Problems(in.Message)
	if n := len(s.Offers); n > 0 { // RFC 3264 §8: it rises with each change
		before := s.Offers[n-1]
		if sdp.Version < before.Version || sdp.Version == before.Version && !reflect.DeepEqual(sdp, before) {
			problems = append(problems, fmt.Sprintf("o= version %d after %d", sdp.Version, before.Version))
		}
	}
	for _, p := range problems {
		s.Recorder.t.Errorf("%s: %s of the recording session: %s", s.Recorder.Name, in.Method(), p)
	}
	s.Labels = nil
	for _, media := range sdp.Media {
		s.Labels = append(s.Labels, media.Label)
		if s.Streams[media.Label] == nil {
			s.Streams[media.Label] = NewMedia(s.Recorder.t, s.Recorder.ip, "", s.Recorder.Name+"-"+media.Label)
		}
	}
	s.Offers = append(s.Offers, sdp)
	if doc != nil {
		s.Docs = append(s.Docs, doc)
	}
}

// Offer is the last one, Doc the document that came with it.
func (s *Session) Offer() SDP { return s.Offers[len(s.Offers)-1] }

// Doc is the last metadata document; nil before the first.
func (s *Session) Doc() *Metadata {
	if len(s.Docs) == 0 {
		return nil
	}
	return s.Docs[len(s.Docs)-1]
}

// Answer is a plain answer to the last offer: one m-line each, recvonly or inactive, the first format offered.
func (s *Session) Answer() []byte {
	s.version++
	var lines []Line
	for _, media := range s.Offer().Media {
		direction := "recvonly"
		if media.Direction == "inactive" {
			direction = "inactive"
		}
		line := Line{Media: s.Streams[media.Label], Direction: direction, Label: media.Label, Kind: media.Kind}
		if _, err := fmt.Sscan(media.Formats[0], &line.Payload); err != nil {
			s.Recorder.t.Errorf("%s: payload type %q", s.Recorder.Name, media.Formats[0])
		}
		line.Map, _ = strings.CutPrefix(media.Attr("rtpmap"), media.Formats[0]+" ")
		if s.Recorder.Dress != nil {
			s.Recorder.Dress(s, media, &line)
		}
		lines = append(lines, line)
	}
	return BuildSDP(s.version, lines...)
}

// ExpectUpdate awaits the session's next re-INVITE and judges it, without answering.
func (s *Session) ExpectUpdate() *Incoming {
	s.Recorder.t.Helper()
	in := s.Dialog.Expect("INVITE")
	s.note(in)
	return in
}

// Update awaits the session's next re-INVITE, answers it 200 and awaits the ACK.
func (s *Session) Update() *Incoming {
	s.Recorder.t.Helper()
	in := s.ExpectUpdate()
	in.Reply(200, WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	return in
}

// End awaits the session's BYE and answers it. Updates on the way there (a last document) are answered too.
func (s *Session) End() *Incoming {
	s.Recorder.t.Helper()
	for {
		in := s.Recorder.ExpectWhere("BYE of the recording session", func(m *Message) bool {
			return s.Dialog.mine(m) && (m.Method() == "BYE" || m.Method() == "INVITE")
		})
		if in.Method() == "BYE" {
			in.Reply(200)
			return in
		}
		s.note(in)
		in.Reply(200, WithSDP(s.Answer()))
		in.ExpectOther("ACK")
	}
}

// Directions is the last offer's, by m-line.
func (s *Session) Directions() []string {
	var all []string
	for _, media := range s.Offer().Media {
		all = append(all, media.Direction)
	}
	return all
}
