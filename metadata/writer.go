package metadata

import "unicode/utf8"

// writer writes canonical XML (Canonical XML 1.0 §2.3: what is escaped, and how), front to back, into one buffer.
// A document goes out with each change of a call: a tree of elements built only to be written costs ten times as much.
type writer struct {
	b     []byte
	open  bool // a start tag may still take attributes
	style Style
}

func (w *writer) element(tag string, depth int) node {
	w.b = append(append(w.b, '<'), tag...)
	w.open = true
	return node{w, tag, depth}
}

func (w *writer) attr(key, value string) {
	w.b = append(append(append(w.b, ' '), key...), `="`...)
	w.escape(value, true)
	w.b = append(w.b, '"')
}

// seal ends the start tag.
func (w *writer) seal() {
	if w.open {
		w.b, w.open = append(w.b, '>'), false
	}
}

func (w *writer) text(s string) {
	w.seal()
	w.escape(s, false)
}

func (w *writer) end(tag string) {
	w.b = append(append(append(w.b, "</"...), tag...), '>')
}

func (w *writer) closeEmpty() {
	w.b, w.open = append(w.b, "/>"...), false
}

// newline breaks the line and indents to a depth.
func (w *writer) newline(depth int) {
	w.seal()
	w.b = append(w.b, '\n')
	for range depth {
		w.b = append(w.b, "  "...)
	}
}

// escape appends text or the value of an attribute. What XML cannot hold becomes U+FFFD.
func (w *writer) escape(s string, attr bool) {
	last := 0
	for i := 0; i < len(s); {
		if verbatim(s[i]) {
			i++
			continue
		}
		r, width := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, width = utf8.DecodeRuneInString(s[i:])
		}
		if esc := escaped(r, width, attr); esc != "" {
			w.b = append(append(w.b, s[last:i]...), esc...)
			last = i + width
		}
		i += width
	}
	w.b = append(w.b, s[last:]...)
}

// verbatim tells that a byte stays as it is wherever it stands: most do.
func verbatim(c byte) bool {
	return c >= ' ' && c < utf8.RuneSelf && c != '&' && c != '<' && c != '>' && c != '"'
}

// escaped is what a character is replaced by, "" if it stays.
func escaped(r rune, width int, attr bool) string {
	switch {
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>' && !attr:
		return "&gt;"
	case r == '"' && attr:
		return "&quot;"
	case r == '\t' && attr:
		return "&#x9;"
	case r == '\n' && attr:
		return "&#xA;"
	case r == '\r':
		return "&#xD;"
	case r < 0x20 && r != '\t' && r != '\n', r == utf8.RuneError && width == 1, r == 0xfffe, r == 0xffff:
		return "\uFFFD"
	}
	return ""
}
