package lint

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"sidetrack/metadata"
)

// hints say who stumbles over what.
var hints = map[string]string{
	"XML-01": "recorders made for another client may want just this (docs/recorders.md), those of RFC 7865 refuse it",
	"XML-16": "some recorders were taught to find the Call-ID here (profile opensips)",
	"XML-09": "a strict reader refuses the whole document",
	"SDP-03": "the recorder cannot tell whose voice is in which stream",
	"XML-19": "loreste refuses a document whose participants have no nameID with 400",
}

// lenient are the rules whose breach is not against the schema and is seen to be forgiven.
var lenient = map[string]bool{"XML-16": true, "XML-07": true, "XML-10": true}

// document judges metadata; labels are those of the SDP with it, nil without a message. before is the number of lines ahead
// of it.
func (j *judge) document(raw []byte, labels []string, before int) {
	r, err := metadata.Parse(raw)
	switch {
	case errors.Is(err, metadata.ErrSnapshotRequest):
		j.add("SRC-19", Should, before+1, "document", "is a snapshot request: those come from the SRS")
		return
	case err != nil:
		j.add("XML-01", Must, before+1, "document", "%v; loreste answers 400, drachtio nothing at all", err)
		return
	}
	if len(labels) == 0 && labels != nil { // a message without SDP: its labels point nowhere
		for i, s := range r.Streams {
			if s.Label != "" {
				j.add("SDP-04", Must, place(raw, "stream", i, before), "stream", "label %q without the SDP that defines it", s.Label)
			}
		}
		labels = nil
	}
	if r.Mode() == metadata.Complete {
		j.missing(r, before)
	}
	for _, p := range r.Verify(labels) {
		w := Must
		if lenient[p.Rule] && !p.Schema {
			w = Should
		}
		text := p.Text
		if rule := metadata.RuleText(p.Rule); rule != "" {
			text += "; " + rule
		}
		if hint := hints[p.Rule]; hint != "" {
			text += "; " + hint
		}
		tag, i := element(p.Where)
		j.add(p.Rule, w, place(raw, tag, i, before), p.Where, "%s", text)
	}
}

// missing tells of what recorders want in a complete document though the schema does not.
func (j *judge) missing(r *metadata.Recording, before int) {
	for _, m := range []struct {
		none bool
		what string
	}{
		{len(r.Sessions) == 0, "session"},
		{len(r.Participants) == 0, "participant; loreste answers 400, drachtio nothing at all"},
		{len(r.Streams) == 0, "stream; drachtio never answers"},
		{len(r.SessionRecordingAssocs) == 0, "sessionrecordingassoc"},
		{len(r.ParticipantSessionAssocs) == 0, "participantsessionassoc"},
		{len(r.ParticipantStreamAssocs) == 0, "participantstreamassoc: nobody is told to send"},
	} {
		if m.none {
			j.add("MD-12", Should, before+1, "document", "complete, and without a %s", m.what)
		}
	}
}

var elementPattern = regexp.MustCompile(`^([A-Za-z_]+)\[(\d+)\]`)

// element takes the place of a problem apart: stream[2]/label is the second stream.
func element(where string) (tag string, i int) {
	m := elementPattern.FindStringSubmatch(where)
	if m == nil {
		return "recording", 0
	}
	n, _ := strconv.Atoi(m[2])
	return m[1], n - 1
}

// place is the line of the i-th element of that name, whatever its prefix.
func place(raw []byte, tag string, i, before int) int {
	start := regexp.MustCompile(`<([A-Za-z_]\w*:)?` + regexp.QuoteMeta(tag) + `[\s>/]`)
	at := start.FindAllIndex(raw, i+1)
	if len(at) <= i {
		return before + 1
	}
	return before + 1 + strings.Count(string(raw[:at[i][0]]), "\n")
}
