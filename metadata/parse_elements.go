package metadata

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

var (
	// order is the order of the children of each element (RFC 7865 §9).
	order = map[string][]string{
		"recording":               {"datamode", "group", "session", "participant", "stream", "sessionrecordingassoc", "participantsessionassoc", "participantstreamassoc"},
		"group":                   {"associate-time", "disassociate-time"},
		"session":                 {"sipSessionID", "reason", "group-ref", "start-time", "stop-time"},
		"sessionrecordingassoc":   {"associate-time", "disassociate-time"},
		"participant":             {"nameID"},
		"nameID":                  {"name"},
		"participantsessionassoc": {"associate-time", "disassociate-time", "param"},
		"participantstreamassoc":  {"send", "recv", "associate-time", "disassociate-time"},
		"stream":                  {"label"},
		"param":                   {}, "reason": {}, "name": {},
	}
	// once lists the elements that may not repeat.
	once = map[string]bool{"datamode": true, "associate-time": true, "disassociate-time": true,
		"group-ref": true, "start-time": true, "stop-time": true, "name": true, "label": true}
	// extensible elements end with elements of other namespaces.
	extensible = map[string]bool{"recording": true, "group": true, "session": true, "sessionrecordingassoc": true,
		"participant": true, "participantsessionassoc": true, "participantstreamassoc": true, "stream": true}
)

// children calls known for each child of the format, with its name as the
// schema spells it, and returns the extensions. Order, spelling and strangers
// are noted.
func (p *parser) children(el *etree.Element, name, where string, known func(c *etree.Element, name string)) (ext []Extension) {
	last, seen := -1, make(map[string]bool)
	for _, t := range el.Child {
		switch c := t.(type) {
		case *etree.CharData:
			if strings.TrimSpace(c.Data) != "" {
				p.schema("XML-04", where, "text between elements")
			}
		case *etree.Element:
			if ns := c.NamespaceURI(); ns != p.ns && !isFormat(ns) {
				ext = p.foreign(c, ns, name, where, ext)
				last = len(order[name])
				continue
			}
			if c.NamespaceURI() != p.ns {
				p.schema("XML-01", where, "<%s> is in another namespace than the root", c.FullTag())
			}
			tag, rank := p.rank(c, name, where)
			if rank < last {
				p.schema(orderRule(name, last), where, "<%s> stands too late, the order is %s", c.Tag, strings.Join(order[name], ", "))
			}
			last = max(last, rank)
			if seen[tag] && once[tag] {
				p.schema("XML-04", where, "<%s> more than once", tag)
			}
			seen[tag] = true
			if rank >= 0 {
				known(c, tag)
			}
		}
	}
	return ext
}

// orderRule is the rule broken by an element after the one of this rank.
func orderRule(parent string, last int) string {
	switch {
	case last == len(order[parent]):
		return "XML-05"
	case parent == "participantstreamassoc":
		return "XML-30"
	}
	return "XML-04"
}

// isFormat reports whether a namespace is one of the format, right or of a
// draft.
func isFormat(ns string) bool {
	return ns == Namespace || ns == draftNamespaces[0] || ns == draftNamespaces[1]
}

// rank finds the place of c among the children of parent, -1 if it has none.
func (p *parser) rank(c *etree.Element, parent, where string) (tag string, rank int) {
	for i, t := range order[parent] {
		if c.Tag == t {
			return t, i
		}
	}
	for i, t := range order[parent] {
		if strings.EqualFold(c.Tag, t) {
			rule := "XML-04"
			if t == "datamode" {
				rule = "XML-03"
			}
			p.schema(rule, where, "<%s> is spelled <%s>", c.Tag, t)
			return t, i
		}
	}
	p.schema("XML-05", where, "unknown element <%s>; an extension needs a namespace of its own", c.Tag)
	return c.Tag, -1
}

// foreign adds an extension element, or notes why it cannot stand here.
func (p *parser) foreign(c *etree.Element, ns, parent, where string, ext []Extension) []Extension {
	switch {
	case ns == "":
		p.schema("XML-05", where, "<%s> has no namespace", c.Tag)
	case !extensible[parent]:
		p.schema("XML-05", where, "<%s>: no extension can stand here", c.FullTag())
	}
	return append(ext, extension(c))
}

// attrs notes attributes that the schema does not know and returns the known
// ones. A known one may be given with the name it had in drafts, as "new/old".
func (p *parser) attrs(el *etree.Element, where string, names ...string) map[string]string {
	out := make(map[string]string, len(names))
	for _, a := range el.Attr {
		if a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" || prefixURI(el, a.Space) == instanceNamespace {
			continue
		}
		found := false
		for _, n := range names {
			name, old, _ := strings.Cut(n, "/")
			switch {
			case a.FullKey() == name:
			case a.FullKey() == old:
				p.schema("XML-06", where, "attribute %s is named %s", old, name)
			default:
				continue
			}
			out[name], found = a.Value, true
		}
		if !found {
			p.schema("XML-04", where, "unknown attribute %s", a.FullKey())
		}
	}
	return out
}

// required notes a missing attribute.
func (p *parser) required(attrs map[string]string, name, rule, where string) string {
	v, ok := attrs[name]
	if !ok {
		p.schema(rule, where, "attribute %s is missing", name)
	}
	return v
}

// id reads an identifier. Any form of a UUID becomes its Base64, so that
// references are found; anything else stays as it is, without white space.
func (p *parser) id(v, where string) ID {
	v = strings.Join(strings.Fields(v), "")
	if v == "" {
		return ""
	}
	octets, err := base64.StdEncoding.Strict().DecodeString(v)
	if err != nil {
		p.schema("XML-06", where, "%.60q is not Base64", v)
	}
	u, uuid := ParseUUID(v)
	if uuid != nil {
		return ID(v)
	}
	if err == nil && len(octets) != len(u) {
		p.note(Problem{Rule: "XML-06", Where: where, Text: fmt.Sprintf("%.60q is a UUID, but not in Base64", v)})
	}
	return u.ID()
}

// wellFormedTime are the layouts of xs:dateTime; the second lacks the zone that
// RFC 3339 demands. odd are what else is on the wire.
var (
	wellFormedTime = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05"}
	oddTime        = []string{"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05"}
)

// time reads a time in any of the forms on the wire; zero when it cannot.
func (p *parser) time(el *etree.Element, where string) time.Time {
	where += "/" + el.Tag
	v := strings.TrimSpace(el.Text())
	for i, layout := range wellFormedTime {
		if t, err := time.Parse(layout, v); err == nil {
			if i > 0 {
				p.note(Problem{Rule: "XML-09", Where: where, Text: fmt.Sprintf("%q has no time zone", v)})
			}
			return t.UTC()
		}
	}
	p.schema("XML-09", where, "%.60q is no RFC 3339 time", v)
	for _, layout := range append(oddTime, wellFormedTime...) {
		if t, err := time.Parse(layout, strings.ToUpper(v)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// leaf returns the text of an element that holds nothing else.
func (p *parser) leaf(el *etree.Element, where string) string {
	if len(el.ChildElements()) > 0 {
		p.schema("XML-04", where+"/"+el.Tag, "elements where text is expected")
	}
	p.attrs(el, where+"/"+el.Tag)
	return el.Text()
}

// at names the i-th element of its kind in problems.
func at(tag string, i int) string { return tag + "[" + strconv.Itoa(i+1) + "]" }
