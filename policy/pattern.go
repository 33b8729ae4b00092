package policy

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// Most patterns in a rule are a number prefix or a host (^sip:\+1555, @10\.),
// and most do not match. So a pattern that is only literal text, anchored or
// not, becomes a string comparison, and any other is asked only of texts that
// hold the literal it cannot do without. The answers are those of the regular
// expression, an order of magnitude sooner.

// matcher returns a function that answers like re.MatchString. re must come
// from regexp.Compile, not CompilePOSIX.
func matcher(re *regexp.Regexp) func(string) bool {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return re.MatchString
	}
	if f := literal(tree); f != nil {
		return f
	}
	if need := required(tree); need != "" {
		return func(s string) bool { return strings.Contains(s, need) && re.MatchString(s) }
	}
	return re.MatchString
}

// literal handles text with or without anchors and alternatives of such;
// nil when t is something else.
func literal(t *syntax.Regexp) func(string) bool {
	if t.Op == syntax.OpCapture {
		return literal(t.Sub[0])
	}
	if t.Op == syntax.OpAlternate {
		return anyOf(t.Sub)
	}
	parts := []*syntax.Regexp{t}
	if t.Op == syntax.OpConcat {
		parts = t.Sub
	}
	begin := len(parts) > 0 && parts[0].Op == syntax.OpBeginText
	if begin {
		parts = parts[1:]
	}
	end := len(parts) > 0 && parts[len(parts)-1].Op == syntax.OpEndText
	if end {
		parts = parts[:len(parts)-1]
	}
	if len(parts) != 1 || text(parts[0]) == "" {
		return nil
	}
	want := text(parts[0])
	switch {
	case begin && end:
		return func(s string) bool { return s == want }
	case begin:
		return func(s string) bool { return strings.HasPrefix(s, want) }
	case end:
		return func(s string) bool { return strings.HasSuffix(s, want) }
	}
	return func(s string) bool { return strings.Contains(s, want) }
}

func anyOf(alternatives []*syntax.Regexp) func(string) bool {
	var fs []func(string) bool
	for _, a := range alternatives {
		f := literal(a)
		if f == nil {
			return nil
		}
		fs = append(fs, f)
	}
	return func(s string) bool {
		return slices.ContainsFunc(fs, func(f func(string) bool) bool { return f(s) })
	}
}

// required gives the longest literal that every match of t contains.
func required(t *syntax.Regexp) string {
	switch t.Op {
	case syntax.OpLiteral:
		return text(t)
	case syntax.OpCapture, syntax.OpPlus:
		return required(t.Sub[0])
	case syntax.OpConcat:
		longest := ""
		for _, sub := range t.Sub {
			if s := required(sub); len(s) > len(longest) {
				longest = s
			}
		}
		return longest
	}
	return ""
}

// text gives the bytes that a literal stands for, "" when there is more than
// one way to write it: other case, or U+FFFD, which also matches invalid bytes.
func text(t *syntax.Regexp) string {
	if t.Op != syntax.OpLiteral || t.Flags&syntax.FoldCase != 0 || slices.Contains(t.Rune, utf8.RuneError) {
		return ""
	}
	return string(t.Rune)
}
