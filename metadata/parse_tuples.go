package metadata

import (
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// recording reads the children of the root.
func (p *parser) recording(root *etree.Element) {
	p.attrs(root, "recording")
	r := p.rec
	r.Extensions = p.children(root, "recording", "recording", func(c *etree.Element, name string) {
		switch name {
		case "datamode":
			p.dataMode(c)
		case "group":
			p.group(c)
		case "session":
			p.session(c)
		case "participant":
			p.participant(c)
		case "stream":
			p.stream(c)
		case "sessionrecordingassoc":
			p.sessionRecordingAssoc(c)
		case "participantsessionassoc":
			p.participantSessionAssoc(c)
		case "participantstreamassoc":
			p.participantStreamAssoc(c)
		}
	})
}

// dataMode reads the mode; what is neither is taken for complete.
func (p *parser) dataMode(c *etree.Element) {
	v := p.leaf(c, "recording")
	mode := DataMode(strings.ToLower(strings.TrimSpace(v)))
	if v != string(Complete) && v != string(Partial) {
		p.schema("XML-03", "recording/datamode", "%.60q is neither complete nor partial", v)
	}
	if mode != Partial {
		mode = Complete
	}
	p.rec.DataMode = mode
}

// times returns a function for the children that hold the two times.
func (p *parser) times(where string, associated, disassociated *time.Time) func(*etree.Element, string) bool {
	return func(c *etree.Element, name string) bool {
		switch name {
		case "associate-time":
			*associated = p.time(c, where)
		case "disassociate-time":
			*disassociated = p.time(c, where)
		default:
			return false
		}
		return true
	}
}

func (p *parser) group(el *etree.Element) {
	where := at("group", len(p.rec.Groups))
	a := p.attrs(el, where, "group_id/id")
	g := Group{ID: p.id(p.required(a, "group_id", "XML-12", where), where)}
	times := p.times(where, &g.Associated, &g.Disassociated)
	g.Extensions = p.children(el, "group", where, func(c *etree.Element, name string) { times(c, name) })
	p.rec.Groups = append(p.rec.Groups, g)
}

func (p *parser) session(el *etree.Element) {
	where := at("session", len(p.rec.Sessions))
	a := p.attrs(el, where, "session_id/id")
	s := Session{ID: p.id(p.required(a, "session_id", "XML-15", where), where)}
	s.Extensions = p.children(el, "session", where, func(c *etree.Element, name string) {
		switch name {
		case "sipSessionID":
			s.SIPSessionIDs = append(s.SIPSessionIDs, strings.TrimSpace(p.leaf(c, where)))
		case "reason":
			s.Reasons = append(s.Reasons, p.reason(c, where))
		case "group-ref":
			s.GroupRef = p.id(p.leaf(c, where), where+"/group-ref")
		case "start-time":
			s.Start = p.time(c, where)
		case "stop-time":
			s.Stop = p.time(c, where)
		}
	})
	p.rec.Sessions = append(p.rec.Sessions, s)
}

func (p *parser) reason(el *etree.Element, where string) Reason {
	where += "/reason"
	a := p.attrs(el, where, "cause", "protocol")
	v := p.required(a, "cause", "XML-17", where)
	cause, err := strconv.ParseInt(strings.TrimSpace(v), 10, 16)
	if err != nil && v != "" {
		p.schema("XML-17", where, "cause %.20q is no short integer", v)
	}
	return Reason{Protocol: a["protocol"], Cause: int(cause), Text: strings.TrimSpace(el.Text())}
}

func (p *parser) participant(el *etree.Element) {
	where := at("participant", len(p.rec.Participants))
	a := p.attrs(el, where, "participant_id/id")
	x := Participant{ID: p.id(p.required(a, "participant_id", "XML-19", where), where)}
	var nested ParticipantStreamAssoc
	p.takeNested(el, where, &nested)
	x.Extensions = p.children(el, "participant", where, func(c *etree.Element, _ string) {
		x.NameIDs = append(x.NameIDs, p.nameID(c, where))
	})
	if len(x.NameIDs) == 0 {
		p.schema("XML-19", where, "no nameID")
	}
	p.rec.Participants = append(p.rec.Participants, x)
	if len(nested.Send)+len(nested.Recv) > 0 {
		nested.ParticipantID = x.ID
		p.rec.ParticipantStreamAssocs = append(p.rec.ParticipantStreamAssocs, nested)
	}
}

// takeNested takes <send> and <recv> out of a participant, where an early draft
// had them and some clients still do.
func (p *parser) takeNested(el *etree.Element, where string, a *ParticipantStreamAssoc) {
	taken := func(t etree.Token) bool {
		c, ok := t.(*etree.Element)
		return ok && (c.Tag == "send" || c.Tag == "recv") && c.NamespaceURI() == p.ns
	}
	for _, c := range el.ChildElements() {
		if !taken(c) {
			continue
		}
		p.schema("XML-30", where, "<%s> belongs into participantstreamassoc", c.Tag)
		if id := p.id(p.leaf(c, where), where); c.Tag == "send" {
			a.Send = append(a.Send, id)
		} else {
			a.Recv = append(a.Recv, id)
		}
	}
	dropChildren(el, taken)
}

func (p *parser) nameID(el *etree.Element, where string) NameID {
	where += "/nameID"
	a := p.attrs(el, where, "aor")
	id := NameID{AOR: strings.TrimSpace(p.required(a, "aor", "XML-20", where))}
	p.children(el, "nameID", where, func(c *etree.Element, _ string) {
		id.Name = strings.TrimSpace(c.Text())
		id.Lang = p.attrs(c, where+"/name", "xml:lang")["xml:lang"]
	})
	return id
}

func (p *parser) stream(el *etree.Element) {
	where := at("stream", len(p.rec.Streams))
	a := p.attrs(el, where, "stream_id/id", "session_id/session")
	s := Stream{
		ID:        p.id(p.required(a, "stream_id", "XML-25", where), where),
		SessionID: p.id(a["session_id"], where),
	}
	s.Extensions = p.children(el, "stream", where, func(c *etree.Element, _ string) {
		s.Label = strings.TrimSpace(p.leaf(c, where))
	})
	p.rec.Streams = append(p.rec.Streams, s)
}

func (p *parser) sessionRecordingAssoc(el *etree.Element) {
	where := at("sessionrecordingassoc", len(p.rec.SessionRecordingAssocs))
	a := p.attrs(el, where, "session_id/session")
	x := SessionRecordingAssoc{SessionID: p.id(p.required(a, "session_id", "XML-27", where), where)}
	times := p.times(where, &x.Associated, &x.Disassociated)
	x.Extensions = p.children(el, "sessionrecordingassoc", where, func(c *etree.Element, name string) { times(c, name) })
	p.rec.SessionRecordingAssocs = append(p.rec.SessionRecordingAssocs, x)
}

func (p *parser) participantSessionAssoc(el *etree.Element) {
	where := at("participantsessionassoc", len(p.rec.ParticipantSessionAssocs))
	a := p.attrs(el, where, "participant_id/participant", "session_id/session")
	x := ParticipantSessionAssoc{
		ParticipantID: p.id(p.required(a, "participant_id", "XML-28", where), where),
		SessionID:     p.id(p.required(a, "session_id", "XML-28", where), where),
	}
	times := p.times(where, &x.Associated, &x.Disassociated)
	x.Extensions = p.children(el, "participantsessionassoc", where, func(c *etree.Element, name string) {
		if times(c, name) {
			return
		}
		a := p.attrs(c, where+"/param", "pname", "pval")
		x.Params = append(x.Params, Param{
			Name:  p.required(a, "pname", "XML-29", where+"/param"),
			Value: p.required(a, "pval", "XML-29", where+"/param"),
		})
	})
	p.rec.ParticipantSessionAssocs = append(p.rec.ParticipantSessionAssocs, x)
}

func (p *parser) participantStreamAssoc(el *etree.Element) {
	where := at("participantstreamassoc", len(p.rec.ParticipantStreamAssocs))
	a := p.attrs(el, where, "participant_id/participant")
	x := ParticipantStreamAssoc{ParticipantID: p.id(p.required(a, "participant_id", "XML-30", where), where)}
	times := p.times(where, &x.Associated, &x.Disassociated)
	x.Extensions = p.children(el, "participantstreamassoc", where, func(c *etree.Element, name string) {
		switch {
		case times(c, name):
		case name == "send":
			x.Send = append(x.Send, p.id(p.leaf(c, where), where+"/send"))
		case name == "recv":
			x.Recv = append(x.Recv, p.id(p.leaf(c, where), where+"/recv"))
		}
	})
	p.rec.ParticipantStreamAssocs = append(p.rec.ParticipantStreamAssocs, x)
}
