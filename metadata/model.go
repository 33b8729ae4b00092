package metadata

import "time"

// Namespace is the XML namespace of RFC 7865 §6.11; ExtensionNamespace is
// ours, for elements an operator gives without a namespace and for the name of
// a group.
const (
	Namespace          = "urn:ietf:params:xml:ns:recording:1"
	ExtensionNamespace = "urn:sidetrack:metadata:1"
)

// ContentType and Disposition are the part headers of a metadata document
// (RFC 9806 §2, RFC 7866 §9.1). LegacyContentType is what RFC 7866 said before
// RFC 9806 corrected it: accepted, not sent.
const (
	ContentType       = "application/rs-metadata+xml"
	LegacyContentType = "application/rs-metadata"
	Disposition       = "recording-session"
)

// ID is an element's identifier as it stands in the document: the Base64 of a
// UUID when it is right (RFC 7865 §6.10). An ID that was read may be anything.
type ID string

// DataMode tells whether a document is a whole snapshot or a change (§5.1.2).
type DataMode string

// The data modes. An absent element means Complete.
const (
	Complete DataMode = "complete"
	Partial  DataMode = "partial"
)

// Recording is one metadata document (RFC 7865 §6.1). Zero times mean that the
// element is absent. The elements are owned by whoever holds the Recording; a
// Builder and Diff make new ones each time.
type Recording struct {
	DataMode                 DataMode // "" is Complete
	Groups                   []Group
	Sessions                 []Session
	Participants             []Participant
	Streams                  []Stream
	SessionRecordingAssocs   []SessionRecordingAssoc
	ParticipantSessionAssocs []ParticipantSessionAssoc
	ParticipantStreamAssocs  []ParticipantStreamAssoc
	Extensions               []Extension

	read []Problem // what Parse had to forgive; told by Verify
}

// Group is a set of related sessions (§6.2).
type Group struct {
	ID                        ID
	Associated, Disassociated time.Time
	Extensions                []Extension
}

// Session is a communication session (§6.3).
type Session struct {
	ID            ID
	SIPSessionIDs []string // RFC 7989 values; not Call-IDs
	Reasons       []Reason
	GroupRef      ID // "" when in no group
	Start, Stop   time.Time
	Extensions    []Extension
}

// Participant is a party of a session (§6.5).
type Participant struct {
	ID         ID
	NameIDs    []NameID // at least one
	Extensions []Extension
}

// NameID is an address of record and the name that goes with it (§6.5.1).
type NameID struct {
	AOR  string // a URI
	Name string // "" when absent
	Lang string // xml:lang of the name, "" when absent
}

// Stream is a recorded media stream (§6.7).
type Stream struct {
	ID         ID
	SessionID  ID     // "" when absent
	Label      string // a=label of its m-line in the recording session's SDP
	Extensions []Extension
}

// SessionRecordingAssoc ties a session to the recording session (§6.4).
type SessionRecordingAssoc struct {
	SessionID                 ID
	Associated, Disassociated time.Time
	Extensions                []Extension
}

// ParticipantSessionAssoc tells when a participant was in a session (§6.6).
type ParticipantSessionAssoc struct {
	ParticipantID, SessionID  ID
	Associated, Disassociated time.Time
	Params                    []Param
	Extensions                []Extension
}

// Param is a capability of a participant (§6.6.1).
type Param struct{ Name, Value string }

// ParticipantStreamAssoc tells what a participant sends and receives (§6.8).
// Without Send and Recv it does neither.
type ParticipantStreamAssoc struct {
	ParticipantID             ID
	Send, Recv                []ID // stream ids
	Associated, Disassociated time.Time
	Extensions                []Extension
}

// Mode is the document's data mode with the default filled in.
func (r *Recording) Mode() DataMode {
	if r.DataMode == "" {
		return Complete
	}
	return r.DataMode
}

// Empty reports whether the document says nothing: a Diff of equal snapshots.
func (r *Recording) Empty() bool { return r.elements() == 0 }

// elements is how many there are below the root, its data mode left out.
func (r *Recording) elements() int {
	return len(r.Groups) + len(r.Sessions) + len(r.Participants) + len(r.Streams) +
		len(r.SessionRecordingAssocs) + len(r.ParticipantSessionAssocs) +
		len(r.ParticipantStreamAssocs) + len(r.Extensions)
}

// Participant returns the participant with this id, nil if there is none.
func (r *Recording) Participant(id ID) *Participant {
	for i := range r.Participants {
		if r.Participants[i].ID == id {
			return &r.Participants[i]
		}
	}
	return nil
}

// StreamByLabel returns the stream of this label, nil if there is none.
func (r *Recording) StreamByLabel(label string) *Stream {
	for i := range r.Streams {
		if r.Streams[i].Label == label {
			return &r.Streams[i]
		}
	}
	return nil
}

// Senders returns the participants that send the stream of this label. It is
// empty while the stream is held.
func (r *Recording) Senders(label string) []*Participant {
	s := r.StreamByLabel(label)
	if s == nil {
		return nil
	}
	var out []*Participant
	for _, a := range r.ParticipantStreamAssocs {
		for _, id := range a.Send {
			if id != s.ID {
				continue
			}
			if p := r.Participant(a.ParticipantID); p != nil {
				out = append(out, p)
			}
		}
	}
	return out
}
