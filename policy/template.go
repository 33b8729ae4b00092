package policy

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"unicode/utf8"
)

// Limits of templates. Both are in bytes.
const (
	MaxTemplateText   = 16 << 10 // longest text that ParseTemplate takes
	MaxTemplateOutput = 16 << 10 // longest result, also of each function within
)

// ErrTooLong says that a template is, or its result would be, too long.
var ErrTooLong = errors.New("longer than 16 KiB")

// Template makes a text out of an Invite, in the language of text/template:
// {{.From.User}}, {{.CallID}}, {{.Header "X-Queue"}}, if, else and with.
// Loops, nested templates and functions outside a short list are refused, so
// that its cost and the length of its result are bounded. It is immutable and
// safe for concurrent use.
type Template struct {
	text   string
	static bool // no action: the result is the text itself
	tmpl   *template.Template
}

// ParseTemplate parses text. The name appears in error messages only. Unknown
// fields, loops and functions that are not offered are errors here, not later.
func ParseTemplate(name, text string) (*Template, error) {
	return newTemplate(name, text, false)
}

// ParseXMLTemplate is ParseTemplate for text that is XML: the value of every
// action is escaped, so that no display name or header can break the document
// or add elements to it.
func ParseXMLTemplate(name, text string) (*Template, error) {
	return newTemplate(name, text, true)
}

func newTemplate(name, text string, xml bool) (*Template, error) {
	if len(text) > MaxTemplateText {
		return nil, ErrTooLong
	}
	tmpl, err := template.New(name).Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return nil, plainError(name, err)
	}
	if err := noDefinitions(tmpl); err != nil {
		return nil, err
	}
	t := &Template{text: text, tmpl: tmpl}
	if tmpl.Tree == nil { // the text is empty
		t.static = true
		return t, nil
	}
	c := checker{xml: xml}
	if err := c.list(tmpl.Root, inviteType); err != nil {
		return nil, err
	}
	if t.static = !c.action; t.static {
		t.text = plainText(tmpl.Root)
	}
	if err := t.try(); err != nil {
		return nil, err
	}
	return t, nil
}

// try runs the template over a request with everything and one with nothing,
// so that what no reading of it shows (comparing a text with a number) is
// found when it is loaded.
func (t *Template) try() error {
	for _, in := range []*Invite{Sample(), {}} {
		if _, err := t.Execute(in); err != nil && !errors.Is(err, ErrTooLong) {
			return err
		}
	}
	return nil
}

// Execute returns the text for in. A missing header gives "". The error is
// ErrTooLong when the result would exceed MaxTemplateOutput.
func (t *Template) Execute(in *Invite) (string, error) {
	if t.static {
		return t.text, nil
	}
	if in == nil {
		in = &Invite{}
	}
	var out bounded
	if err := t.tmpl.Execute(&out, in); err != nil {
		if errors.Is(err, ErrTooLong) {
			return "", ErrTooLong
		}
		return "", plainError(t.tmpl.Name(), err)
	}
	return out.String(), nil
}

// ExecuteHeader is Execute for a text that becomes the value of a header: the
// result is made fit by HeaderValue.
func (t *Template) ExecuteHeader(in *Invite) (string, error) {
	s, err := t.Execute(in)
	return HeaderValue(s), err
}

// String returns the template as written; for a text without actions that is
// also its result.
func (t *Template) String() string { return t.text }

// HeaderValue makes s fit for one header line: each run of control characters
// (CR, LF and NUL among them) and invalid UTF-8 becomes one space, so that no
// value can end the line and begin another (RFC 3261 §25.1, TEXT-UTF8-TRIM).
func HeaderValue(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, unfit) < 0 {
		return strings.TrimSpace(s)
	}
	return strings.Join(strings.FieldsFunc(s, unfit), " ")
}

func unfit(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }

// bounded is a writer that refuses to grow beyond MaxTemplateOutput.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > MaxTemplateOutput {
		return 0, ErrTooLong
	}
	return b.Builder.Write(p)
}

// plainError takes "template: NAME:" away: the reader knows which key it was.
func plainError(name string, err error) error {
	text := strings.TrimPrefix(err.Error(), "template: ")
	text = strings.TrimPrefix(text, name+":")
	return fmt.Errorf("%s", strings.TrimSpace(text))
}
