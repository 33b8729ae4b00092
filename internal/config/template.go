package config

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sidetrack/metadata"
	"sidetrack/policy"
)

// template reads a text template; nil when it is empty or wrong.
func (c cursor) template() *policy.Template {
	s, ok := c.text(`a text, or a template such as {{.Header "X-Queue"}}`)
	if !ok || s == "" {
		return nil
	}
	t, err := policy.ParseTemplate(c.path, s)
	if err != nil {
		c.failf("not a template: %s", c.reason(err))
		return nil
	}
	c.conceal(t)
	return t
}

// xml reads a template for an XML fragment and tries it out; check is what the
// fragment must be.
func (c cursor) xml(check func(string) error) *policy.Template {
	s, ok := c.text("XML in 'single quotes'")
	if !ok || strings.TrimSpace(s) == "" {
		return nil
	}
	t, err := policy.ParseXMLTemplate(c.path, s)
	if err != nil {
		c.failf("not a template: %s", c.reason(err))
		return nil
	}
	for _, trial := range []struct {
		in    *policy.Invite
		check func(string) error
	}{{policy.Sample(), wellFormed}, {policy.Sample(), check}, {&policy.Invite{}, wellFormed}} {
		out, err := t.Execute(trial.in)
		if err == nil {
			err = trial.check(out)
		}
		if err != nil {
			c.failf("not XML for this place: %s", c.reason(err))
			return nil
		}
	}
	c.conceal(t)
	return t
}

// conceal keeps t out of Describe when it came out of the environment.
func (c cursor) conceal(t *policy.Template) {
	if c.n.secret {
		c.d.cfg.hidden[t] = true
	}
}

func extension(s string) error {
	_, err := metadata.ParseExtensions(s)
	return err
}

func nameID(s string) error {
	_, err := metadata.ParseNameIDs(s)
	return err
}

// wellFormed checks elements beside each other, with nothing but space between.
func wellFormed(s string) error {
	dec := xml.NewDecoder(strings.NewReader(s))
	depth := 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var se *xml.SyntaxError
		if errors.As(err, &se) && se.Msg == "unexpected EOF" {
			return errors.New("it ends within an element; close it")
		}
		if errors.As(err, &se) {
			return errors.New(se.Msg)
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(t)) != "" {
				return fmt.Errorf("text outside of an element: %.40q; write <name>text</name>", strings.TrimSpace(string(t)))
			}
		case xml.ProcInst, xml.Directive:
			return errors.New("<? and <! cannot stand here; write elements only")
		}
	}
}

// reserved are the headers that make the message what it is; RFC 3261 §8.1.1,
// RFC 7866 §6.1.
var reserved = []string{
	"Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Type", "Content-Length",
	"Content-Disposition", "Content-Encoding", "MIME-Version", "Require", "Supported", "Route", "Record-Route", "RAck", "RSeq",
	"f", "t", "i", "m", "c", "l", "k", "v", "e",
}

// headerTemplates reads the headers added to a request: to our own INVITE to a
// recorder, or to what passes by a route.
func (c cursor) headerTemplates(recorder bool) []HeaderTemplate {
	var out []HeaderTemplate
	c.free("NAME: value", func(name string, v cursor) {
		switch same := func(s string) bool { return strings.EqualFold(s, name) }; {
		case !token(name):
			v.failf("%q is no header name; write one such as X-Tenant", name)
			return
		case recorder && (same("From") || same("To")):
			v.failf("this header is set by %s_uri; write that key", strings.ToLower(name))
			return
		case slices.ContainsFunc(reserved, same) || same("From") || same("To"):
			v.failf("this header is set by sidetrack itself; remove it")
			return
		}
		s, ok := v.text("a text")
		if !ok {
			return
		}
		t, err := policy.ParseTemplate(v.path, s)
		if err != nil {
			v.failf("not a template: %s", v.reason(err))
			return
		}
		if strings.ContainsAny(strings.TrimSpace(s), "\r\n\x00") {
			v.failf("a header is one line; write it without line breaks")
			return
		}
		out = append(out, HeaderTemplate{Name: name, Value: t, Secret: v.n.secret || secretName(name)})
	})
	return out
}

// secretName guesses from a header's name that its value is nobody's business.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"auth", "token", "secret", "password", "key"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
