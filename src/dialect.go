package src

import (
	"sidetrack/internal/sip"
	"sidetrack/metadata"
)

// Dialect is how a recorder wants to be spoken to where it does not follow the
// RFCs, or has been brought up by another client. The zero value is theirs.
type Dialect struct {
	LabelShift int // added to the labels, which begin with 1

	// MetadataType is the media type of the documents; "": metadata.ContentType.
	MetadataType string
	// ContactTag is the feature tag in Contact; "": +sip.src.
	ContactTag string
	// NoRequire leaves Require: siprec out, which some recorders refuse.
	NoRequire bool
	// SRSInFrom names the recorder in From as well as in To.
	SRSInFrom bool
	// CallIDAsSession puts the call's Call-ID into sipSessionID, in the place of
	// its Session-ID (RFC 7989).
	CallIDAsSession bool
}

func (d *Dialect) metadataType() string {
	if d.MetadataType == "" {
		return metadata.ContentType
	}
	return d.MetadataType
}

func (d *Dialect) featureTag() string {
	if d.ContactTag == "" {
		return featureTag
	}
	return ";" + d.ContactTag
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
