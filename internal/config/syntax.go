package config

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

var yamlErrorRE = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// remedies tells in our words what the library's messages are about.
var remedies = []struct{ sign, text string }{
	{"cannot start any token", "a value cannot begin with this character; put it in quotes"},
	{"mapping values are not allowed", "a colon where none can be; check the indentation, or put the value in quotes"},
	{"could not find expected ':'", "a key without its colon; write key: value"},
	{"expected ',' or ']'", `the list that [ opens does not end well; close it with ], and put values such as "${NAME}" in quotes`},
	{"expected ',' or '}'", `the mapping that { opens does not end well; close it with }, and put values such as "${NAME}" in quotes`},
	{"expected '-' indicator", "this does not belong to the list above it; check the indentation"},
	{"expected key", "this does not belong to the mapping above it; check the indentation"},
	{"unexpected end of stream", "a quoted text is not closed; add the quote"},
	{"unknown escape character", `a backslash in "double quotes" must be doubled; write 'single quotes' instead`},
	{"invalid leading UTF-8", "the file is not UTF-8; save it as UTF-8"},
	{"invalid trailing UTF-8", "the file is not UTF-8; save it as UTF-8"},
	{"incomplete UTF-8", "the file is not UTF-8; save it as UTF-8"},
	{"control characters are not allowed", "the file holds a control character; remove it"},
}

// syntaxErrors notes what keeps the file from being YAML at all. The library
// stops at the first such place; only tabs can be found all at once.
func (d *decoder) syntaxErrors(data []byte, err error) {
	if d.tabs(data) {
		return
	}
	m := yamlErrorRE.FindStringSubmatch(err.Error())
	if m == nil {
		d.addf(1, "", "not YAML: %v", err)
		return
	}
	text := m[2]
	line, _ := strconv.Atoi(m[1])
	switch name, ok := strings.CutPrefix(text, "unknown anchor '"); {
	case ok:
		name = strings.TrimSuffix(name, "' referenced")
		d.addf(lineOf(data, "*"+name), "", "there is no anchor &%s before *%s", name, name)
		return
	case strings.HasPrefix(text, "did not find expected"):
		line++ // these the library counts from 0
	case line == 0:
		line = 1
	}
	line = min(line, max(1, bytes.Count(bytes.TrimRight(data, "\n"), []byte("\n"))+1))
	for _, r := range remedies {
		if strings.Contains(text, r.sign) {
			d.addf(line, "", "not YAML: %s", r.text)
			return
		}
	}
	d.addf(line, "", "not YAML: %s", text)
}

// tabs notes every line that is indented with a tab.
func (d *decoder) tabs(data []byte) bool {
	found := false
	for i, l := range bytes.Split(data, []byte("\n")) {
		indent := l[:len(l)-len(bytes.TrimLeft(l, " \t"))]
		if bytes.ContainsRune(indent, '\t') && len(indent) < len(l) {
			d.addf(i+1, "", "not YAML: indented with a tab; use spaces")
			found = true
		}
	}
	return found
}

func lineOf(data []byte, s string) int {
	i := bytes.Index(data, []byte(s))
	if i < 0 {
		return 0
	}
	return bytes.Count(data[:i], []byte("\n")) + 1
}
