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
