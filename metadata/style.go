package metadata

import (
	"encoding/hex"
	"time"
)

// Style is how a document is written for a reader that came before RFC 7865, or
// that does not keep to it. The zero value is the RFC's. What is written in
// another style is not valid by the schema, and is not meant to be.
type Style struct {
	Namespace string // "": Namespace
	Root      string // name of the root element; "": recording
	DataMode  string // name of that element; "": datamode
	Nested    bool   // as the drafts had it: id and session attributes, no association elements
	Mixed     bool   // the drafts' mode of a stream: mixed, not separate
	Times     TimeStyle
	IDs       IDStyle
}

// TimeStyle is how times are written.
type TimeStyle string

// The styles of times; "" is RFC 3339 in UTC with milliseconds and Z.
const (
	TimesSeconds TimeStyle = "seconds" // 2026-01-02T03:04:05Z
	TimesOffset  TimeStyle = "offset"  // 2026-01-02T03:04:05.678+00:00
	TimesLocal   TimeStyle = "local"   // 2026-01-02T03:04:05, of the machine's zone
)

// IDStyle is how identifiers are written.
type IDStyle string

// The styles of identifiers; "" is Base64 (RFC 7865 §6.10).
const (
	IDsURN  IDStyle = "urn"  // urn:uuid:01234567-89ab-…
	IDsUUID IDStyle = "uuid" // 01234567-89ab-…
	IDsHex  IDStyle = "hex"  // 32 digits
)

// time appends a time.
func (s Style) time(b []byte, t time.Time) []byte {
	switch s.Times {
	case TimesSeconds:
		return t.UTC().AppendFormat(b, "2006-01-02T15:04:05Z")
	case TimesOffset:
		return append(t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000"), "+00:00"...)
	case TimesLocal:
		return t.Local().AppendFormat(b, "2006-01-02T15:04:05")
	}
	return appendTime(b, t)
}

// id writes an identifier; what is no UUID stays as it is.
func (s Style) id(id ID) string {
	if s.IDs == "" {
		return string(id)
	}
	u, err := ParseUUID(string(id))
	if err != nil {
		return string(id)
	}
	switch s.IDs {
	case IDsURN:
		return "urn:uuid:" + u.String()
	case IDsHex:
		return hex.EncodeToString(u[:])
	}
	return u.String()
}

// nest writes the tuples as the drafts of RFC 7865 had them, and several
// recorders still do: what a participant sends stands in it, so do its times.
func (r *Recording) nest(root node) {
	for _, g := range r.Groups {
		n := root.child("group")
		n.id("id", g.ID)
		n.times(g.Associated, g.Disassociated)
		n.extensions(g.Extensions)
		n.close()
	}
	for _, s := range r.Sessions {
		r.nestSession(root, s)
	}
	for _, p := range r.Participants {
		r.nestParticipant(root, p)
	}
	for _, s := range r.Streams {
		n := root.child("stream")
		n.id("id", s.ID)
		if s.SessionID != "" {
			n.id("session", s.SessionID)
		}
		n.label(s.Label)
		if root.w.style.Mixed {
			n.text("mode", "mixed")
		} else {
			n.text("mode", "separate")
		}
		n.extensions(s.Extensions)
		n.close()
	}
}

func (r *Recording) nestSession(root node, s Session) {
	n := root.child("session")
	n.id("id", s.ID)
	for _, id := range s.SIPSessionIDs {
		n.text("sipSessionID", id)
	}
	if s.GroupRef != "" {
		n.ref("group-ref", s.GroupRef)
	}
	n.time("start-time", s.Start)
	n.time("stop-time", s.Stop)
	for _, a := range r.SessionRecordingAssocs {
		if a.SessionID == s.ID {
			n.times(a.Associated, a.Disassociated)
		}
	}
	n.extensions(s.Extensions)
	n.close()
}

func (r *Recording) nestParticipant(root node, p Participant) {
	n := root.child("participant")
	n.id("id", p.ID)
	var stay ParticipantSessionAssoc // the latest
	for _, a := range r.ParticipantSessionAssocs {
		if a.ParticipantID == p.ID {
			stay = a
		}
	}
	if stay.SessionID != "" {
		n.id("session", stay.SessionID)
	}
	for _, name := range p.NameIDs {
		name.encode(n)
	}
	for _, a := range r.ParticipantStreamAssocs {
		if a.ParticipantID != p.ID || !a.Associated.Equal(stay.Associated) {
			continue
		}
		for _, id := range a.Send {
			n.ref("send", id)
		}
		for _, id := range a.Recv {
			n.ref("recv", id)
		}
	}
	n.times(stay.Associated, stay.Disassociated)
	n.extensions(p.Extensions)
	n.close()
}
