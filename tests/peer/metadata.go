package peer

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Metadata is an RFC 7865 document as a recorder reads it.
type Metadata struct {
	XMLName      xml.Name               `xml:"urn:ietf:params:xml:ns:recording:1 recording"`
	DataMode     string                 `xml:"datamode"`
	Groups       []MetaGroup            `xml:"group"`
	Sessions     []MetaSession          `xml:"session"`
	Participants []MetaParticipant      `xml:"participant"`
	Streams      []MetaStream           `xml:"stream"`
	SessionRec   []MetaSessionRecording `xml:"sessionrecordingassoc"`
	ParticipantS []MetaParticipation    `xml:"participantsessionassoc"`
	ParticipantM []MetaStreaming        `xml:"participantstreamassoc"`

	Raw []byte `xml:"-"`
}

// MetaGroup is <group>.
type MetaGroup struct {
	ID string `xml:"group_id,attr"`
}

// MetaSession is <session>.
type MetaSession struct {
	ID        string   `xml:"session_id,attr"`
	SIPID     []string `xml:"sipSessionID"`
	GroupRef  string   `xml:"group-ref"`
	StartTime string   `xml:"start-time"`
	StopTime  string   `xml:"stop-time"`
}

// MetaParticipant is <participant>.
type MetaParticipant struct {
	ID    string       `xml:"participant_id,attr"`
	Names []MetaNameID `xml:"nameID"`
}

// MetaNameID is <nameID>.
type MetaNameID struct {
	AOR  string `xml:"aor,attr"`
	Name string `xml:"name"`
}

// MetaStream is <stream>.
type MetaStream struct {
	ID      string `xml:"stream_id,attr"`
	Session string `xml:"session_id,attr"`
	Label   string `xml:"label"`
}

// MetaSessionRecording is <sessionrecordingassoc>.
type MetaSessionRecording struct {
	Session    string `xml:"session_id,attr"`
	Associated string `xml:"associate-time"`
	Left       string `xml:"disassociate-time"`
}

// MetaParticipation is <participantsessionassoc>.
type MetaParticipation struct {
	Participant string `xml:"participant_id,attr"`
	Session     string `xml:"session_id,attr"`
	Associated  string `xml:"associate-time"`
	Left        string `xml:"disassociate-time"`
}

// MetaStreaming is <participantstreamassoc>.
type MetaStreaming struct {
	Participant string   `xml:"participant_id,attr"`
	Sends       []string `xml:"send"`
	Receives    []string `xml:"recv"`
	Associated  string   `xml:"associate-time"`
	Left        string   `xml:"disassociate-time"`
}

// ParseMetadata reads a document and checks what the RFC demands of any: identifiers of 16 bytes in Base64, references
// that lead somewhere, times in UTC. The problems are all of them.
func ParseMetadata(raw []byte) (*Metadata, []string) {
	m := &Metadata{Raw: raw}
	if err := xml.Unmarshal(raw, m); err != nil {
		return nil, []string{"not readable as metadata: " + err.Error()}
	}
	var problems []string
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if m.DataMode != "complete" && m.DataMode != "partial" {
		bad("datamode is %q", m.DataMode)
	}
	known := map[string]bool{}
	identifier := func(kind, id string) {
		if b, err := base64.StdEncoding.DecodeString(id); err != nil || len(b) != 16 {
			bad("%s id %q is not 16 bytes in Base64", kind, id)
		}
		if known[id] {
			bad("%s id %q used twice", kind, id)
		}
		known[id] = true
	}
	reference := func(where, id string) {
		if !known[id] && m.DataMode != "partial" { // a partial document may refer to what was told before
			bad("%s refers to %q, which is nowhere", where, id)
		}
	}
	for _, g := range m.Groups {
		identifier("group", g.ID)
	}
	for _, s := range m.Sessions {
		identifier("session", s.ID)
		if s.GroupRef != "" {
			reference("group-ref", s.GroupRef)
		}
	}
	for _, p := range m.Participants {
		identifier("participant", p.ID)
	}
	for _, s := range m.Streams {
		identifier("stream", s.ID)
		reference("stream", s.Session)
	}
	for _, a := range m.SessionRec {
		reference("sessionrecordingassoc", a.Session)
	}
	for _, a := range m.ParticipantS {
		reference("participantsessionassoc", a.Session)
		reference("participantsessionassoc", a.Participant)
	}
	for _, a := range m.ParticipantM {
		reference("participantstreamassoc", a.Participant)
		for _, id := range slices.Concat(a.Sends, a.Receives) {
			reference("participantstreamassoc", strings.TrimSpace(id))
		}
	}
	for _, at := range m.times() {
		if when, err := time.Parse(time.RFC3339Nano, at); err != nil || when.Location() != time.UTC {
			bad("time %q is not a UTC dateTime", at)
		}
	}
	return m, problems
}

func (m *Metadata) times() []string {
	var all []string
	for _, s := range m.Sessions {
		all = append(all, s.StartTime, s.StopTime)
	}
	for _, a := range m.SessionRec {
		all = append(all, a.Associated, a.Left)
	}
	for _, a := range m.ParticipantS {
		all = append(all, a.Associated, a.Left)
	}
	for _, a := range m.ParticipantM {
		all = append(all, a.Associated, a.Left)
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// Labels is every stream's label, sorted.
func (m *Metadata) Labels() []string {
	var labels []string
	for _, s := range m.Streams {
		labels = append(labels, s.Label)
	}
	slices.Sort(labels)
	return labels
}

// Sender is the AOR of the participant who sends the stream of that label now, "" when nobody does (hold).
func (m *Metadata) Sender(label string) string { return m.party(label, true) }

// Receiver is the AOR of the participant who receives it.
func (m *Metadata) Receiver(label string) string { return m.party(label, false) }

func (m *Metadata) party(label string, sends bool) string {
	for _, s := range m.Streams {
		if s.Label != label {
			continue
		}
		for _, a := range m.ParticipantM {
			ids := a.Receives
			if sends {
				ids = a.Sends
			}
			if a.Left == "" && slices.Contains(ids, s.ID) {
				return m.AOR(a.Participant)
			}
		}
	}
	return ""
}

// AOR is that of the participant's first nameID.
func (m *Metadata) AOR(participant string) string {
	for _, p := range m.Participants {
		if p.ID == participant && len(p.Names) > 0 {
			return p.Names[0].AOR
		}
	}
	return ""
}
