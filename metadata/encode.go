package metadata

import (
	"cmp"
	"math"
	"strconv"
	"time"
)

// usualSize is what most elements stay below on average, in bytes, and what stands around them.
const usualSize = 256

// XML writes the document: UTF-8 with an XML declaration, elements in the order
// of the schema (RFC 7865 §9), times in UTC with milliseconds. Text is cleaned
// and addresses are escaped, so that the document is valid whatever names hold.
// The error is always nil.
func (r *Recording) XML() ([]byte, error) { return r.Styled(Style{}) }

// Styled is XML for a reader that wants it otherwise.
func (r *Recording) Styled(s Style) ([]byte, error) {
	w := &writer{b: make([]byte, 0, usualSize*(2+r.elements())), style: s}
	w.b = append(w.b, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"...)
	root := w.element(cmp.Or(s.Root, "recording"), 0)
	root.attr("xmlns", cmp.Or(s.Namespace, Namespace))
	root.text(cmp.Or(s.DataMode, "datamode"), string(r.Mode()))
	if s.Nested {
		r.nest(root)
	} else {
		r.encode(root)
	}
	root.extensions(r.Extensions)
	root.close()
	w.b = append(w.b, '\n')
	return w.b, nil
}

// encode writes the tuples in schema order.
func (r *Recording) encode(root node) {
	for _, g := range r.Groups {
		g.encode(root)
	}
	for _, s := range r.Sessions {
		s.encode(root)
	}
	for _, p := range r.Participants {
		p.encode(root)
	}
	for _, s := range r.Streams {
		s.encode(root)
	}
	for _, a := range r.SessionRecordingAssocs {
		a.encode(root)
	}
	for _, a := range r.ParticipantSessionAssocs {
		a.encode(root)
	}
	for _, a := range r.ParticipantStreamAssocs {
		a.encode(root)
	}
}

func (g Group) encode(root node) {
	n := root.child("group")
	n.id("group_id", g.ID)
	n.times(g.Associated, g.Disassociated)
	n.extensions(g.Extensions)
	n.close()
}

func (s Session) encode(root node) {
	n := root.child("session")
	n.id("session_id", s.ID)
	for _, id := range s.SIPSessionIDs {
		n.text("sipSessionID", id)
	}
	for _, r := range s.Reasons {
		r.encode(n)
	}
	if s.GroupRef != "" {
		n.ref("group-ref", s.GroupRef)
	}
	n.time("start-time", s.Start)
	n.time("stop-time", s.Stop)
	n.extensions(s.Extensions)
	n.close()
}

// encode leaves out a cause that the schema's xs:short cannot hold.
func (r Reason) encode(session node) {
	if r.Cause < math.MinInt16 || r.Cause > math.MaxInt16 {
		return
	}
	n := session.child("reason")
	n.attr("cause", strconv.Itoa(r.Cause))
	if p := clean(r.Protocol); p != "" {
		n.attr("protocol", p)
	}
	n.closeWith(clean(r.Text))
}

func (p Participant) encode(root node) {
	n := root.child("participant")
	n.id("participant_id", p.ID)
	names := p.NameIDs
	if len(names) == 0 {
		names = []NameID{{}} // the schema demands one
	}
	for _, id := range names {
		id.encode(n)
	}
	n.extensions(p.Extensions)
	n.close()
}

func (id NameID) encode(participant node) {
	n := participant.child("nameID")
	n.attr("aor", canonicalAOR(id.AOR))
	if name := clean(id.Name); name != "" {
		c := n.child("name")
		if validLang(id.Lang) && id.Lang != "" {
			c.attr("xml:lang", id.Lang)
		}
		c.closeWith(name)
	}
	n.close()
}

func (s Stream) encode(root node) {
	n := root.child("stream")
	n.id("stream_id", s.ID)
	if s.SessionID != "" {
		n.id("session_id", s.SessionID)
	}
	n.label(s.Label)
	n.extensions(s.Extensions)
	n.close()
}

func (a SessionRecordingAssoc) encode(root node) {
	n := root.child("sessionrecordingassoc")
	n.id("session_id", a.SessionID)
	n.times(a.Associated, a.Disassociated)
	n.extensions(a.Extensions)
	n.close()
}

func (a ParticipantSessionAssoc) encode(root node) {
	n := root.child("participantsessionassoc")
	n.id("participant_id", a.ParticipantID)
	n.id("session_id", a.SessionID)
	n.times(a.Associated, a.Disassociated)
	for _, p := range a.Params {
		c := n.child("param")
		c.attr("pname", clean(p.Name))
		c.attr("pval", clean(p.Value))
		c.close()
	}
	n.extensions(a.Extensions)
	n.close()
}

// encode writes the times last: here, and only here, the schema wants it so.
func (a ParticipantStreamAssoc) encode(root node) {
	n := root.child("participantstreamassoc")
	n.id("participant_id", a.ParticipantID)
	for _, id := range a.Send {
		n.ref("send", id)
	}
	for _, id := range a.Recv {
		n.ref("recv", id)
	}
	n.times(a.Associated, a.Disassociated)
	n.extensions(a.Extensions)
	n.close()
}

// node is an element being written, with its depth for the indentation.
type node struct {
	w     *writer
	tag   string
	depth int
}

// child begins an element on a line of its own.
func (n node) child(tag string) node {
	n.w.newline(n.depth + 1)
	return n.w.element(tag, n.depth+1)
}

func (n node) attr(key, value string) { n.w.attr(key, value) }

// close puts the end tag on a line of its own, unless the element is empty.
func (n node) close() {
	if n.w.open {
		n.w.closeEmpty()
		return
	}
	n.w.newline(n.depth)
	n.w.end(n.tag)
}

// closeWith makes text all that the element holds.
func (n node) closeWith(text string) {
	n.w.text(text)
	n.w.end(n.tag)
}

func (n node) id(key string, id ID) { n.attr(key, n.w.style.id(id)) }

func (n node) ref(tag string, id ID) { n.exact(tag, n.w.style.id(id)) }

func (n node) text(tag, value string) { n.child(tag).closeWith(clean(value)) }

// exact writes an identifier or a label as it is: cleaned, two of them might become one, or none.
func (n node) exact(tag, value string) { n.child(tag).closeWith(value) }

func (n node) label(label string) {
	if label != "" {
		n.exact("label", label)
	}
}

func (n node) time(tag string, t time.Time) {
	if y := t.UTC().Year(); !t.IsZero() && y >= 1 && y <= 9999 { // RFC 3339 has no other years
		c := n.child(tag)
		c.w.seal()
		c.w.b = c.w.style.time(c.w.b, t)
		c.w.end(tag)
	}
}

func (n node) times(associated, disassociated time.Time) {
	n.time("associate-time", associated)
	n.time("disassociate-time", disassociated)
}

func (n node) extensions(list []Extension) {
	for _, x := range list {
		x.encode(n)
	}
}

func (e Extension) encode(parent node) {
	if e.xml != "" {
		parent.w.newline(parent.depth + 1)
		parent.w.b = append(parent.w.b, e.xml...)
	}
}
