package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cursor is one value of the file and where it stands. Its methods read the
// value as a type; on a mistake they note it and return false.
type cursor struct {
	d    *decoder
	path string
	n    *node
}

// failf notes a mistake here.
func (c cursor) failf(format string, args ...any) { c.d.addf(c.n.line, c.path, format, args...) }

// warnf notes something allowed but seldom meant.
func (c cursor) warnf(format string, args ...any) { c.d.warnf(c.n.line, c.path, format, args...) }

// show gives the value as the operator wrote it, for messages: of a secret the
// variable's name.
func (c cursor) show() string {
	const most = 80
	s := c.n.raw
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	// Backslashes stay single, as in the file; what could garble a terminal
	// does not.
	if q := strconv.Quote(s); strings.ReplaceAll(q, `\\`, `\`) != `"`+s+`"` {
		return q
	}
	return `"` + s + `"`
}

// reason gives the text of err, which may quote the value, unless that is a
// secret.
func (c cursor) reason(err error) string {
	if c.n.secret {
		return "holds a value that is not valid"
	}
	return err.Error()
}

// text reads a single value as text; want says what to write, for the message.
func (c cursor) text(want string) (string, bool) {
	switch {
	case c.n.kind != scalar:
		c.failf("is %s; write %s", c.n.kind, want)
	case c.n.null():
		c.failf("has no value; write %s, or remove the key", want)
	case c.n.tag == "!!bool" && !c.n.secret:
		c.failf("is true or false; write %s (in quotes if that is meant)", want)
	default:
		return c.n.text, true
	}
	return "", false
}

// word is text that must not be empty.
func (c cursor) word(want string) (string, bool) {
	s, ok := c.text(want)
	if ok && strings.TrimSpace(s) == "" {
		c.failf("is empty; write %s, or remove the key", want)
		return "", false
	}
	return strings.TrimSpace(s), ok
}

// integer takes decimal numbers only: YAML reads 010 as 8.
func (c cursor) integer(low, high int) (int, bool) {
	want := fmt.Sprintf("a whole number from %d to %d", low, high)
	s, ok := c.word(want)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err == nil && len(s) > 1 && s[0] == '0' && !c.n.secret {
		c.failf("%s begins with 0, which YAML takes for an octal number; write %d", c.show(), n)
		return 0, false
	}
	if err != nil || s[0] == '0' && len(s) > 1 || s[0] == '+' || n < low || n > high {
		c.failf("%s is not %s", c.show(), want)
		return 0, false
	}
	return n, true
}

func (c cursor) boolean() (bool, bool) {
	if c.n.kind == scalar && (c.n.tag == "!!bool" || c.n.secret) {
		switch strings.ToLower(c.n.text) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	if c.n.kind != scalar || c.n.null() {
		return false, c.must("true or false")
	}
	c.failf("%s is neither true nor false; write one of them, without quotes", c.show())
	return false, false
}

// must notes that the value is of the wrong kind; it returns false.
func (c cursor) must(want string) bool {
	c.text(want)
	return false
}

// duration reads a Go duration; zero is written 0 or 0s.
func (c cursor) duration(low, high time.Duration, example string) (time.Duration, bool) {
	s, ok := c.word("a duration such as " + example)
	if !ok {
		return 0, false
	}
	v, err := time.ParseDuration(s)
	if _, number := strconv.ParseFloat(s, 64); err != nil && number == nil {
		c.failf("%s has no unit; write %ss, or ms, m, h", c.show(), strings.Trim(c.show(), `"`))
		return 0, false
	}
	if err != nil {
		c.failf("%s is not a duration; write one such as %s", c.show(), example)
		return 0, false
	}
	if v < low || v > high {
		c.failf("%s is out of range; write a duration from %s to %s", c.show(), short(low), short(high))
		return 0, false
	}
	return v, true
}

// short writes a duration without its zero parts: 1m, not 1m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func (c cursor) oneOf(values ...string) (string, bool) {
	s, ok := c.word(either(values))
	if !ok {
		return "", false
	}
	if slices.Contains(values, s) {
		return s, true
	}
	if near := nearest(s, values); near != "" && !c.n.secret {
		c.failf("%s is not known; write %s", c.show(), near)
	} else {
		c.failf("%s is not known; write %s", c.show(), either(values))
	}
	return "", false
}

// either joins values as in "a, b or c".
func either(values []string) string {
	if len(values) < 2 {
		return strings.Join(values, "")
	}
	last := len(values) - 1
	return strings.Join(values[:last], ", ") + " or " + values[last]
}

// regex reads a regular expression; flags, such as (?i), go before it.
func (c cursor) regex(flags string) *regexp.Regexp {
	s, ok := c.text("a regular expression")
	if !ok {
		return nil
	}
	if s == "" {
		c.failf("is empty and would match everything; remove the key")
		return nil
	}
	re, err := regexp.Compile(flags + s)
	if err == nil {
		return re
	}
	reason := strings.TrimPrefix(c.reason(err), "error parsing regexp: ")
	reason = strings.Replace(reason, "`"+flags, "`", 1)
	if strings.Contains(s, "(?=") || strings.Contains(s, "(?!") || strings.Contains(s, "(?<") {
		reason = "look-ahead and look-behind do not exist here"
	}
	c.failf("%s is not a regular expression: %s; write it in RE2 syntax", c.show(), reason)
	return nil
}

// words reads a list: one YAML list, or one text with commas.
func (c cursor) words(want string) []cursor {
	items := []cursor{c}
	if c.n.kind == list {
		items = c.items(want)
	}
	var out []cursor
	for _, item := range items {
		s, ok := item.word(want)
		if !ok {
			continue
		}
		for _, part := range strings.Split(s, ",") {
			one := *item.n
			one.text = strings.TrimSpace(part)
			if !one.secret {
				one.raw = one.text
			}
			if one.text == "" {
				item.failf("an empty place in the list; remove the comma")
				continue
			}
			out = append(out, cursor{c.d, item.path, &one})
		}
	}
	return out
}

// some notes a list or a mapping in which nothing stands. As a condition it would hold for
// everything, as a choice it would choose nothing; neither is what somebody means who writes it.
func (c cursor) some(want string) bool {
	if c.n.kind == list && len(c.n.items) == 0 || c.n.kind == mapping && len(c.n.entries) == 0 {
		c.failf("is empty; write %s, or remove the key", want)
		return false
	}
	return true
}

// items reads a list whose items are of any kind.
func (c cursor) items(want string) []cursor {
	if c.n.kind != list {
		if !c.n.null() {
			c.failf("is %s; write a list of %s, each after a dash", c.n.kind, want)
		}
		return nil
	}
	var out []cursor
	for i, n := range c.n.items {
		if n.kind != broken {
			out = append(out, cursor{c.d, fmt.Sprintf("%s[%d]", c.path, i), n})
		}
	}
	return out
}
