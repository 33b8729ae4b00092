package policy

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/template"
)

// functions are ours; each checks its result, because functions may be nested
// and would multiply what goes through them.
var functions = template.FuncMap{
	"lower": func(s string) (string, error) { return limit(strings.ToLower(s)) },
	"upper": func(s string) (string, error) { return limit(strings.ToUpper(s)) },
	"trim":  func(s string) (string, error) { return limit(strings.TrimSpace(s)) },
	"print": func(v ...any) (string, error) { return limit(fmt.Sprint(v...)) },
	// ident makes a name of whatever it is given: letters, digits, - and _, beginning with a letter, at most 64.
	"ident": func(s string) (string, error) { return ident(s), nil },
	"urlquery": func(v ...any) (string, error) {
		return limit(url.QueryEscape(fmt.Sprint(v...)))
	},
	"xml": func(v ...any) (string, error) {
		var b strings.Builder
		if err := xml.EscapeText(&b, []byte(fmt.Sprint(v...))); err != nil {
			return "", err
		}
		return limit(b.String())
	},
}

func ident(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, s)
	if s == "" || s[0] < 'A' || s[0] == '_' {
		s = "id-" + s
	}
	return s[:min(len(s), 64)]
}

// comparisons are those of text/template that cost nothing.
var comparisons = []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len"}

func offered(name string) bool {
	return functions[name] != nil || slices.Contains(comparisons, name)
}

func offeredNames() []string {
	names := slices.Clone(comparisons)
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func limit(s string) (string, error) {
	if len(s) > MaxTemplateOutput {
		return "", ErrTooLong
	}
	return s, nil
}
