package metadata

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Bounds of XML that is read: bytes of an operator's fragment, nesting, and
// attributes of one element. The last two keep the resolution of namespaces,
// which looks at all attributes of all ancestors, cheap.
const (
	maxFragment = 64 << 10
	maxDepth    = 32
	maxAttrs    = 32
)

// Extension is one element of a foreign namespace, self-contained: it declares
// each prefix it uses. It is made only by ParseExtensions, Text and Parse, so
// it is always well-formed. The zero value is nothing and is not written.
type Extension struct{ xml string }

// String is the element's XML.
func (e Extension) String() string { return e.xml }

// Text makes an element of our own namespace with this text in it. The name
// must be an XML name.
func Text(name, text string) Extension {
	w := &writer{b: make([]byte, 0, usualSize)}
	n := w.element(name, 0)
	n.attr("xmlns", ExtensionNamespace)
	n.closeWith(clean(text))
	return Extension{xml: string(w.b)}
}

// Parameter is a name with its value, as somebody adds to a recording.
type Parameter struct{ Name, Value string }

// Parameters makes an element of our own namespace, parameters, with one element
// parameter for each: its attribute name, and the value as its text.
func Parameters(all []Parameter) Extension {
	el := etree.NewElement("parameters")
	el.CreateAttr("xmlns", ExtensionNamespace)
	for _, p := range all {
		one := el.CreateElement("parameter")
		one.CreateAttr("name", clean(p.Name))
		one.CreateText(clean(p.Value))
	}
	return extension(el)
}

// ParseExtensions reads an operator's XML: elements beside each other, none is
// allowed. An element without a namespace is put into ExtensionNamespace, for
// the schema admits only foreign ones (RFC 7865 §9). Comments and processing
// instructions are dropped. The error says what is wrong, with the element.
func ParseExtensions(s string) ([]Extension, error) {
	elements, err := fragment(s)
	if err != nil {
		return nil, err
	}
	out := make([]Extension, 0, len(elements))
	for _, el := range elements {
		if err := adopt(el); err != nil {
			return nil, err
		}
		out = append(out, extension(el))
	}
	return out, nil
}

// ParseNameIDs reads an operator's <nameID aor="…"><name>…</name></nameID>
// elements, at least one. The address need not be escaped.
func ParseNameIDs(s string) ([]NameID, error) {
	elements, err := fragment(s)
	if err != nil {
		return nil, err
	}
	if len(elements) == 0 {
		return nil, errors.New(`no element: write <nameID aor="sip:…"><name>…</name></nameID>`)
	}
	var out []NameID
	for _, el := range elements {
		id, err := parseNameID(el)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

func parseNameID(el *etree.Element) (NameID, error) {
	aor, _ := attrValue(el, "aor")
	switch {
	case el.Tag != "nameID":
		return NameID{}, fmt.Errorf("<%s>: only <nameID> can stand here", el.Tag)
	case strings.TrimSpace(aor) == "":
		return NameID{}, errors.New("<nameID> without aor attribute")
	}
	id := NameID{AOR: canonicalAOR(aor)}
	for i, c := range el.ChildElements() {
		if c.Tag != "name" || i > 0 {
			return NameID{}, fmt.Errorf("<%s> in <nameID>: one <name> is all that can stand there", c.Tag)
		}
		id.Name = clean(c.Text())
		id.Lang = c.SelectAttrValue("xml:lang", "")
		if !validLang(id.Lang) {
			return NameID{}, fmt.Errorf("xml:lang=%q is no language tag", id.Lang)
		}
	}
	return id, nil
}

// fragment reads elements that stand beside each other, nothing else.
func fragment(s string) ([]*etree.Element, error) {
	if len(s) > maxFragment {
		return nil, fmt.Errorf("XML is %d bytes long, more than %d", len(s), maxFragment)
	}
	doc := etree.NewDocument()
	doc.ReadSettings = readSettings()
	if err := doc.ReadFromString(s); err != nil {
		return nil, fmt.Errorf("not well-formed XML: %w", err)
	}
	var out []*etree.Element
	for _, t := range doc.Child {
		switch t := t.(type) {
		case *etree.Element:
			out = append(out, t)
		case *etree.Directive:
			return nil, errors.New("a document type or other declaration cannot stand here")
		case *etree.CharData:
			if text := strings.TrimSpace(t.Data); text != "" {
				return nil, fmt.Errorf("text %.20q outside of an element", text)
			}
		}
	}
	for _, el := range out {
		if err := tidy(el); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readSettings is how any XML is read: strictly, and duplicate attributes are
// kept so that they can be refused.
func readSettings() etree.ReadSettings {
	return etree.ReadSettings{PreserveDuplicateAttrs: true, MaxDepth: maxDepth, CharsetReader: charset}
}

// adopt makes el fit to stand in a document: elements without a namespace get
// ours, and what the schema would refuse is an error.
func adopt(el *etree.Element) error {
	if _, ok := attrValue(el, "xmlns"); !ok && hasBare(el) {
		el.CreateAttr("xmlns", ExtensionNamespace)
	}
	if el.NamespaceURI() == "" { // xmlns="" written out
		return fmt.Errorf(`<%s xmlns="">: an extension needs a namespace`, el.Tag)
	}
	return checkForeign(el)
}

// hasBare reports whether el or an element in it has no namespace.
func hasBare(el *etree.Element) bool {
	if _, ok := attrValue(el, "xmlns"); ok {
		return false // what is inside has that one
	}
	if el.Space == "" && el.NamespaceURI() == "" {
		return true
	}
	return slices.ContainsFunc(el.ChildElements(), hasBare)
}

// attrValue returns the attribute of this name that has no prefix.
func attrValue(el *etree.Element, name string) (string, bool) {
	for _, a := range el.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value, true
		}
	}
	return "", false
}

// checkForeign refuses what a validator would look into: elements of RFC 7865
// and attributes that steer validation.
func checkForeign(el *etree.Element) error {
	if el.NamespaceURI() == Namespace {
		return fmt.Errorf("<%s> is in the namespace of RFC 7865: an extension needs another", el.FullTag())
	}
	for _, a := range el.Attr {
		if a.Space != "" && a.Space != "xmlns" && prefixURI(el, a.Space) == instanceNamespace {
			return fmt.Errorf("<%s>: attribute %s cannot stand in an extension", el.FullTag(), a.FullKey())
		}
	}
	for _, c := range el.ChildElements() {
		if err := checkForeign(c); err != nil {
			return err
		}
	}
	return nil
}

// extension writes an element so that it stands for itself: prefixes and the
// default namespace that it uses from its surroundings are declared on it.
func extension(el *etree.Element) Extension {
	used := make(map[string]string)
	collect(el, el, used)
	out := el.Copy()
	prefixes := slices.Sorted(maps.Keys(used))
	for _, p := range prefixes {
		if p == "" {
			out.CreateAttr("xmlns", used[p])
			continue
		}
		out.CreateAttr("xmlns:"+p, used[p])
	}
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.SetRoot(out)
	s, err := doc.WriteToString()
	if err != nil { // a strings.Builder does not fail
		return Extension{}
	}
	return Extension{xml: s}
}

// collect gathers the prefixes used within el that are declared outside of top.
func collect(el, top *etree.Element, used map[string]string) {
	need := func(prefix string) {
		if prefix == "xml" || prefix == "xmlns" {
			return
		}
		for e := el; e != top.Parent(); e = e.Parent() {
			for _, a := range e.Attr {
				if prefix == "" && a.Space == "" && a.Key == "xmlns" || prefix != "" && a.Space == "xmlns" && a.Key == prefix {
					return
				}
			}
		}
		uri := el.NamespaceURI()
		if prefix != "" {
			uri = prefixURI(el, prefix)
		}
		if uri != "" || prefix == "" { // xmlns="": what is in no namespace is not to be drawn into ours
			used[prefix] = uri
		}
	}
	need(el.Space)
	for _, a := range el.Attr {
		if a.Space != "" {
			need(a.Space)
		}
	}
	for _, c := range el.ChildElements() {
		collect(c, top, used)
	}
}
