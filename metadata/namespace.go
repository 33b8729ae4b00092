package metadata

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/beevik/etree"
)

const (
	xmlNamespace      = "http://www.w3.org/XML/1998/namespace"
	instanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"
)

// tidy drops comments and instructions from an element and checks what the
// XML reader does not: prefixes and repeated attributes (Namespaces in XML §5,
// §6.3).
func tidy(el *etree.Element) error {
	dropChildren(el, func(t etree.Token) bool {
		switch t.(type) {
		case *etree.Comment, *etree.ProcInst, *etree.Directive:
			return true
		}
		return false
	})
	for _, t := range el.Child {
		if c, ok := t.(*etree.Element); ok {
			if err := tidy(c); err != nil {
				return err
			}
		}
	}
	return checkNames(el)
}

// dropChildren removes the children that drop names. Each is moved at most once:
// removed one by one, each would move all that follow it.
func dropChildren(el *etree.Element, drop func(etree.Token) bool) {
	if !slices.ContainsFunc(el.Child, drop) {
		return
	}
	var kept []etree.Token // the last one first
	for i := len(el.Child) - 1; i >= 0; i-- {
		if t := el.RemoveChildAt(i); !drop(t) {
			kept = append(kept, t)
		}
	}
	for _, t := range slices.Backward(kept) {
		el.AddChild(t)
	}
}

var namePattern = regexp.MustCompile(`^[\pL_][\pL\pN\pM_.\x{B7}-]*$`)

// checkNames checks the names of an element and its attributes.
func checkNames(el *etree.Element) error {
	if !namePattern.MatchString(el.Tag) || el.Space == "xmlns" {
		return fmt.Errorf("<%s>: not a name", el.FullTag())
	}
	if el.Space != "" && el.NamespaceURI() == "" {
		return fmt.Errorf("<%s>: prefix %q is not declared", el.FullTag(), el.Space)
	}
	if len(el.Attr) > maxAttrs {
		return fmt.Errorf("<%s>: %d attributes, more than %d", el.FullTag(), len(el.Attr), maxAttrs)
	}
	seen := make(map[string]bool, len(el.Attr))
	for i := range el.Attr {
		if err := checkAttr(el, &el.Attr[i], seen); err != nil {
			return err
		}
	}
	return nil
}

func checkAttr(el *etree.Element, a *etree.Attr, seen map[string]bool) error {
	if !namePattern.MatchString(a.Key) {
		return fmt.Errorf("<%s>: attribute %q is not a name", el.FullTag(), a.FullKey())
	}
	uri := a.Space
	switch {
	case a.Space == "xmlns":
		if a.Value == "" || a.Key == "xmlns" || a.Key == "xml" && a.Value != xmlNamespace {
			return fmt.Errorf("<%s>: xmlns:%s cannot be declared so", el.FullTag(), a.Key)
		}
	case a.Space == "xml":
		uri = xmlNamespace
		if a.Key == "lang" && !validLang(a.Value) {
			return fmt.Errorf("<%s>: xml:lang=%q is no language tag", el.FullTag(), a.Value)
		}
	case a.Space != "":
		if uri = prefixURI(el, a.Space); uri == "" {
			return fmt.Errorf("<%s>: prefix %q is not declared", el.FullTag(), a.Space)
		}
	}
	key := uri + " " + a.Key
	if seen[key] {
		return fmt.Errorf("<%s>: attribute %s is there twice", el.FullTag(), a.FullKey())
	}
	seen[key] = true
	return nil
}

// prefixURI is the namespace that a prefix stands for at el, "" if none.
func prefixURI(el *etree.Element, prefix string) string {
	if prefix == "xml" {
		return xmlNamespace
	}
	for ; el != nil; el = el.Parent() {
		for i := range el.Attr {
			if el.Attr[i].Space == "xmlns" && el.Attr[i].Key == prefix {
				return el.Attr[i].Value
			}
		}
	}
	return ""
}

var langPattern = regexp.MustCompile(`^([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)?$`)

// validLang reports whether s is a language tag as xml:lang has it; "" is.
func validLang(s string) bool { return langPattern.MatchString(s) }
