package metadata

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Problem is one thing wrong with a document.
type Problem struct {
	Rule   string // the rule broken, e.g. "XML-06"; RuleText says what it demands
	Where  string // the element, e.g. "stream[2]/label", counted from 1 by kind
	Text   string // what is wrong
	Schema bool   // against the schema; false: against the text of an RFC
}

// String is the problem in one line.
func (p Problem) String() string { return p.Rule + " " + p.Where + ": " + p.Text }

// rules are the rules that Verify checks, and where they are written.
var rules = map[string]string{
	"SDP-03": "each m-line's label is the label of a stream and the other way round (RFC 7866 §7.1.1)",
	"SDP-05": "labels are tokens and unique (RFC 4574 §4, RFC 7866 §7.1.1)",
	"XML-01": "one root element recording in " + Namespace + " (RFC 7865 §5.1.2)",
	"XML-03": "datamode, in lower case, is complete or partial (RFC 7865 §5.1.2, §9)",
	"XML-04": "elements and attributes are those of the schema, in its order (RFC 7865 §9)",
	"XML-05": "extensions are in another namespace and last in their parent (RFC 7865 §9)",
	"XML-06": "identifiers are the Base64 of the 16 octets of a UUID (RFC 7865 §6.10)",
	"XML-07": "UUIDs hold no personal data such as a MAC address (RFC 7865 §6.10)",
	"XML-08": "one UUID names one element (RFC 7865 §6.10)",
	"XML-09": "times are RFC 3339 with capital T and Z or an offset with colon (RFC 7865 §6.9)",
	"XML-10": "nothing ends before it begins (RFC 7865 §6.9)",
	"XML-12": "a group has a group_id (RFC 7865 §6.2.1)",
	"XML-13": "group-ref names a group (RFC 7865 §6.2.2)",
	"XML-15": "a session has a session_id (RFC 7865 §6.3.1)",
	"XML-16": "sipSessionID is an RFC 7989 Session-ID, not a Call-ID (RFC 7865 §6.3.1)",
	"XML-17": "a reason has a cause, a short integer (RFC 7865 §9)",
	"XML-19": "a participant has a participant_id and at least one nameID (RFC 7865 §6.5.1)",
	"XML-20": "a nameID has an aor, a URI, domain name or IP address (RFC 7865 §6.5.1)",
	"XML-25": "a stream has a stream_id, and its session exists (RFC 7865 §6.7.1)",
	"XML-27": "sessionrecordingassoc names a session (RFC 7865 §6.4.1)",
	"XML-28": "participantsessionassoc names a participant and a session (RFC 7865 §6.6.1)",
	"XML-29": "a param has pname and pval (RFC 7865 §6.6.1)",
	"XML-30": "participantstreamassoc names a participant; send, recv, times in this order (RFC 7865 §6.8.1, §9)",
	"XML-31": "send and recv name streams (RFC 7865 §6.8.1)",
}

// RuleText says what a rule demands and where it is written, "" for a rule that
// is not known.
func RuleText(rule string) string { return rules[rule] }

// Verify checks the document against the schema and against what the RFCs
// demand beyond it. labels are those of the SDP that came with the document;
// nil leaves them unchecked. A partial document may refer to what an earlier
// one defined: its references are not checked, verify the Merge instead.
func (r *Recording) Verify(labels []string) []Problem {
	v := &verifier{rec: r, problems: slices.Clone(r.read), ids: make(map[ID]string)}
	v.identifiers()
	v.times()
	v.names()
	if r.Mode() == Complete {
		v.references()
	}
	v.labels(labels)
	return v.problems
}

type verifier struct {
	rec      *Recording
	problems []Problem
	ids      map[ID]string // where each identifier is defined
}

// add notes a problem unless Parse has told the same.
func (v *verifier) add(rule, where, format string, args ...any) {
	same := func(p Problem) bool { return p.Rule == rule && p.Where == where }
	if len(v.problems) >= 2*maxProblems || slices.ContainsFunc(v.rec.read, same) {
		return
	}
	v.problems = append(v.problems, Problem{Rule: rule, Where: where, Text: fmt.Sprintf(format, args...)})
}

// identifiers checks form and uniqueness of what elements are named by.
func (v *verifier) identifiers() {
	for i, x := range v.rec.Groups {
		v.identifier(x.ID, "group", i)
	}
	for i, x := range v.rec.Sessions {
		v.identifier(x.ID, "session", i)
	}
	for i, x := range v.rec.Participants {
		v.identifier(x.ID, "participant", i)
	}
	for i, x := range v.rec.Streams {
		v.identifier(x.ID, "stream", i)
	}
}

func (v *verifier) identifier(id ID, tag string, i int) {
	where := at(tag, i)
	octets, err := base64.StdEncoding.Strict().DecodeString(string(id))
	switch {
	case err != nil:
		v.add("XML-06", where, "%.60q is not Base64", string(id))
	case len(octets) != 16:
		v.add("XML-06", where, "%.60q is %d octets long, a UUID is 16", string(id), len(octets))
	case octets[6]>>4 == 1 && octets[8]>>6 == 2:
		v.add("XML-07", where, "%s is a UUID of version 1, which tells a MAC address", id)
	}
	if first, ok := v.ids[id]; ok {
		v.add("XML-08", where, "%.60s is also %s", id, first)
		return
	}
	v.ids[id] = where
}

// times checks that beginnings come before ends.
func (v *verifier) times() {
	r := v.rec
	check := func(where string, from, to time.Time) {
		if !from.IsZero() && !to.IsZero() && to.Before(from) {
			v.add("XML-10", where, "ends at %s, before it begins at %s", formatTime(to), formatTime(from))
		}
	}
	for i, x := range r.Groups {
		check(at("group", i), x.Associated, x.Disassociated)
	}
	for i, x := range r.Sessions {
		check(at("session", i), x.Start, x.Stop)
	}
	for i, x := range r.SessionRecordingAssocs {
		check(at("sessionrecordingassoc", i), x.Associated, x.Disassociated)
	}
	for i, x := range r.ParticipantSessionAssocs {
		check(at("participantsessionassoc", i), x.Associated, x.Disassociated)
	}
	for i, x := range r.ParticipantStreamAssocs {
		check(at("participantstreamassoc", i), x.Associated, x.Disassociated)
	}
}

// names checks addresses and Session-IDs.
func (v *verifier) names() {
	for i, p := range v.rec.Participants {
		where := at("participant", i)
		if len(p.NameIDs) == 0 {
			v.add("XML-19", where, "no nameID")
		}
		for _, id := range p.NameIDs {
			if !validAOR(id.AOR) {
				v.add("XML-20", where+"/nameID", "aor %.60q is no URI, domain name or IP address", id.AOR)
			}
		}
	}
	for i, s := range v.rec.Sessions {
		for _, id := range s.SIPSessionIDs {
			if canonicalSessionID(id) == "" {
				v.add("XML-16", at("session", i)+"/sipSessionID", "%.60q is no Session-ID (local;remote=…)", id)
			}
		}
	}
}

// references checks that what is named is defined, by an element of that kind.
func (v *verifier) references() {
	r := v.rec
	ref := func(rule, where string, id ID, kind string) {
		if id != "" && !strings.HasPrefix(v.ids[id], kind+"[") {
			v.add(rule, where, "%.60s is no %s of this document", id, kind)
		}
	}
	for i, s := range r.Sessions {
		ref("XML-13", at("session", i)+"/group-ref", s.GroupRef, "group")
	}
	for i, s := range r.Streams {
		ref("XML-25", at("stream", i), s.SessionID, "session")
	}
	for i, a := range r.SessionRecordingAssocs {
		ref("XML-27", at("sessionrecordingassoc", i), a.SessionID, "session")
	}
	for i, a := range r.ParticipantSessionAssocs {
		ref("XML-28", at("participantsessionassoc", i), a.ParticipantID, "participant")
		ref("XML-28", at("participantsessionassoc", i), a.SessionID, "session")
	}
	for i, a := range r.ParticipantStreamAssocs {
		where := at("participantstreamassoc", i)
		ref("XML-30", where, a.ParticipantID, "participant")
		for _, id := range a.Send {
			ref("XML-31", where+"/send", id, "stream")
		}
		for _, id := range a.Recv {
			ref("XML-31", where+"/recv", id, "stream")
		}
	}
}

// labels checks the labels of the streams, and against those of the SDP where
// it is known. A label's scope is one message (RFC 7866 §7.1.1): a document
// with a label that its SDP does not have points nowhere.
func (v *verifier) labels(sdp []string) {
	defined := make(map[string]bool)
	for i, s := range v.rec.Streams {
		where := at("stream", i) + "/label"
		switch {
		case s.Label == "":
			continue
		case strings.ContainsAny(s.Label, " \t\r\n,;:\"()<>@[]?=/\\"):
			v.add("SDP-05", where, "%.60q is no token", s.Label)
		case defined[s.Label]:
			v.add("SDP-05", where, "%.60q is the label of another stream too", s.Label)
		case sdp != nil && !slices.Contains(sdp, s.Label):
			v.add("SDP-03", where, "%.60q is no label of the SDP", s.Label)
		}
		defined[s.Label] = true
	}
	for _, l := range sdp {
		if v.rec.Mode() == Complete && !defined[l] {
			v.add("SDP-03", "recording", "no stream has the label %.60q of the SDP", l)
		}
	}
}
