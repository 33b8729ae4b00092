package src

import (
	"cmp"
	"slices"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/metadata"
)

// Dialect is how a recorder wants to be spoken to where it does not follow the
// RFCs, or has been brought up by another client. The zero value is theirs.
type Dialect struct {
	LabelShift  int  // added to the labels, which begin with 1
	LabelStep   int  // from one label to the next; 0: 1
	CalleeFirst bool // the callee has the first m-line and label, not the caller

	// Labels of the caller and the callee, where they are no numbers; those of
	// further pairs have -2, -3 … behind them.
	Labels [2]string
	// First has the first m-line and is the first participant; "": who has the
	// first label, and the caller.
	First metadata.PartyRole

	// MetadataType is the media type of the documents; "": metadata.ContentType.
	MetadataType string
	// ContactTag is the feature tag in Contact; "": +sip.src.
	ContactTag string
	// TagInside puts the feature tag into the URI's brackets.
	TagInside bool
	// NoRequire leaves Require: siprec out, which some recorders refuse.
	NoRequire bool
	// SRSInFrom names the recorder in From as well as in To.
	SRSInFrom bool
	// CallIDAsSession puts the call's Call-ID into sipSessionID, in the place of
	// its Session-ID (RFC 7989).
	CallIDAsSession bool

	Style   metadata.Style // of the documents
	Partial bool           // updates tell what has changed, not everything
	Carrier Carrier        // of updates
	Last    LastDocument   // where the end is told
	Hold    HoldForm       // how the SRS is told that nothing is sent
	Streams StreamMode
}

// Carrier is the request that carries an update.
type Carrier string

// The carriers of updates.
const (
	CarrierInvite Carrier = ""       // re-INVITE
	CarrierUpdate Carrier = "update" // UPDATE, to an SRS that allows it (RFC 3311)
	// What changes in the metadata alone goes without a description: by UPDATE, or
	// by INFO. All else, and what is refused so, by re-INVITE.
	CarrierDocument Carrier = "update-metadata"
	CarrierInfo     Carrier = "info"
	CarrierNone     Carrier = "none" // the SRS is told nothing after its 200
)

// LastDocument says where the last document goes, the one with the stop time.
type LastDocument string

// The places of the last document.
const (
	LastInBye    LastDocument = ""       // RFC 8068 §3.2.4
	LastInUpdate LastDocument = "update" // in an UPDATE before the BYE (RFC 7866 §9.1), where the SRS allows UPDATE
	LastNowhere  LastDocument = "none"
)

// HoldForm is how a pause is described.
type HoldForm string

// The forms of a pause.
const (
	HoldInactive HoldForm = ""     // a=inactive (RFC 7866 §7.1.1.1)
	HoldZero     HoldForm = "zero" // and c=0.0.0.0, as before RFC 3264
	HoldNone     HoldForm = "none" // not at all: packets just cease
)

// StreamMode says how the parties' streams are given to an SRS.
type StreamMode string

// The stream modes.
const (
	StreamsSeparate StreamMode = ""             // one session with an m-line for each (RFC 7866 §8.3)
	StreamsTwo      StreamMode = "two-sessions" // a session for each party, with one m-line
	StreamsMixed    StreamMode = "mixed"        // one session with one m-line that has both, as G.711 (RFC 7866 §8.2.2)
)

func (d *Dialect) metadataType() string { return cmp.Or(d.MetadataType, metadata.ContentType) }

// contact is our Contact for a URI of ours.
func (d *Dialect) contact(uri string) string {
	tag := featureTag
	if d.ContactTag != "" {
		tag = ";" + d.ContactTag
	}
	if d.TagInside {
		return "<" + uri + tag + ">"
	}
	return "<" + uri + ">" + tag
}

// label is 1 for the caller and 2 for the callee, 3 and 4 on a second audio
// m-line, and so on: what recorders expect who tell the parties by it. A dialect
// may begin and go on elsewhere.
func (d *Dialect) label(party metadata.PartyRole, ordinal int) string {
	if word := d.Labels[side(party)]; word != "" {
		if ordinal > 0 {
			word += "-" + decimal(ordinal+1)
		}
		return word
	}
	n := 2 * ordinal
	if (party == metadata.Callee) != d.CalleeFirst {
		n++
	}
	return decimal(1 + d.LabelShift + n*max(d.LabelStep, 1))
}

// side is 0 for the caller and 1 for the callee.
func side(party metadata.PartyRole) int {
	if party == metadata.Callee {
		return 1
	}
	return 0
}

// leads tells who has the first m-line.
func (d *Dialect) leads() metadata.PartyRole {
	if d.First == "" && d.CalleeFirst {
		return metadata.Callee
	}
	return cmp.Or(d.First, metadata.Caller)
}

// parties are the URIs of From and To for one SRS.
func (r *Recorder) parties(srs string) (from, to string) {
	from, to = r.FromURI, r.ToURI
	if to == "" {
		to = srs
	}
	if r.Dialect.SRSInFrom {
		from = to
	}
	return from, to
}

// require adds what only an SRS understands (RFC 7866 §6.1.1).
func (d *Dialect) require(req *sip.Message) {
	if !d.NoRequire {
		req.Add("Require", "siprec")
	}
}

// colour makes a document the dialect's.
func (d *Dialect) colour(doc *metadata.Recording, sipCallID string) *metadata.Recording {
	if d.CallIDAsSession {
		for i := range doc.Sessions {
			doc.Sessions[i].SIPSessionIDs = []string{sipCallID}
		}
	}
	return doc
}

// wording is the document that tells an SRS of doc, of which it knows before:
// all of it, or what has changed (RFC 7865 §5). Where nothing has, all of it
// again, for a document that says nothing confuses readers.
func (d *Dialect) wording(before metadata.Told, doc *metadata.Recording) *metadata.Recording {
	if !d.Partial || d.Style.Nested || before == nil {
		return doc
	}
	if diff := metadata.Diff(before, doc); !diff.Empty() {
		return diff
	}
	return doc
}

// last is the document that goes with the end: what has changed since before,
// without labels, whose scope is a message with the description that defines
// them (RFC 7866 §7.1.1). nil: nothing is to be told.
func (d *Dialect) last(before metadata.Told, doc *metadata.Recording) *metadata.Recording {
	if d.Last == LastNowhere || before == nil {
		return nil
	}
	last := metadata.Diff(before, doc)
	if d.Style.Nested && !last.Empty() {
		last = doc
	}
	if last.Empty() {
		return nil
	}
	return unlabeled(last)
}

// unlabeled is a document for a message without a description.
func unlabeled(doc *metadata.Recording) *metadata.Recording {
	out := *doc
	out.Streams = slices.Clone(doc.Streams)
	for i := range out.Streams {
		out.Streams[i].Label = ""
	}
	return &out
}

// pauses writes a description of ours in the dialect's form of a pause.
func (d *Dialect) pauses(description []byte) []byte {
	if d.Hold != HoldZero {
		return description
	}
	return zeroInactive(description)
}

// zeroInactive puts c=0.0.0.0 into each section that is inactive.
func zeroInactive(description []byte) []byte {
	sections := strings.SplitAfter(string(description), "\r\nm=")
	for i, s := range sections[1:] {
		if !strings.Contains(s, "\r\na=inactive\r\n") {
			continue
		}
		lines := strings.SplitAfter(s, "\r\n")
		conn := "c=IN IP4 0.0.0.0\r\n"
		if strings.HasPrefix(lines[1], "c=") {
			lines[1] = conn
		} else {
			lines[0] += conn
		}
		sections[i+1] = strings.Join(lines, "")
	}
	return []byte(strings.Join(sections, ""))
}
