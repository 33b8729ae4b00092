package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one thing to say about a file.
type Problem struct {
	File string
	Line int    // from 1; 0 when it concerns the whole file
	Key  string // path of the key, such as routes[0].to; "" for the whole file
	Text string // what is wrong and what to write instead
}

// String gives FILE:LINE: key: text.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems are in the order of the lines they concern.
type Problems []Problem

// String gives one problem per line, without a final newline.
func (p Problems) String() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Err returns nil when there are none, else all of them as one error.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return errors.New(p.String())
}

// oneLine keeps what a file holds from breaking a message or a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int { return a.Line - b.Line })
}
