package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// acceptedKeys lists every key that the reader knows, by loading the file that
// has all of them: the tables that it reads by are asked, not the file.
func acceptedKeys(t *testing.T) (keys map[string]bool, given map[string]bool) {
	t.Helper()
	data, err := os.ReadFile("../../examples/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	keys, given = map[string]bool{}, map[string]bool{}
	d := newDecoder("../../examples/full.yaml", Options{})
	d.visit = func(path string, names []string) {
		for _, name := range names {
			keys[general(join(path, name))] = true
		}
	}
	if _, problems := d.decode(data); len(problems) > 0 {
		t.Fatal(problems)
	}
	d = newDecoder("../../examples/full.yaml", Options{})
	walk("", d.readTree(data), given)
	return keys, given
}

func walk(path string, n *node, into map[string]bool) {
	into[general(path)] = true
	for i, item := range n.items {
		walk(fmt.Sprintf("%s[%d]", path, i), item, into)
	}
	for _, e := range n.entries {
		walk(join(path, e.name), e.value, into)
	}
}

// nested are the keys of a match that hold matches, whose keys are the same again.
var nested = regexp.MustCompile(`^((any|all)\[\]\.|not\.)+`)

var index = regexp.MustCompile(`\[\d+\]`)

// general writes a path as the documentation does: routes[].match.from becomes
// match.from, for routes and rules share it; recorders.main becomes recorders.*.
func general(path string) string {
	path = index.ReplaceAllString(path, "[]")
	path = strings.Replace(path, "recorders.main.", "recorders.*.", 1)
	path = strings.Replace(path, "media.networks.inside.", "media.networks.*.", 1)
	path = strings.Replace(path, "sip.listen[].trusted_certificates.", "sip.trusted_certificates.", 1)
	for _, of := range []string{"[].match.", ".accept.match."} {
		if _, key, ok := strings.Cut(path, of); ok {
			return "match." + nested.ReplaceAllString(key, "")
		}
	}
	return path
}

func TestEveryKeyIsShownAndDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	keys, given := acceptedKeys(t)
	if len(keys) < 50 {
		t.Errorf("only %d keys were met; does full.yaml reach every mapping?", len(keys))
	}
	for key := range keys {
		if !given[key] {
			t.Errorf("examples/full.yaml does not show %s", key)
		}
		section := !strings.Contains(key, ".") || strings.HasSuffix(key, ".tls") || key == "http.tokens" || key == "webhooks.hooks" || key == "sip.rate" || key == "routes[].auth"
		if !section && !strings.Contains(string(doc), "| `"+key+"` |") {
			t.Errorf("docs/configuration.md does not document %s", key)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+[.\\[][^`]*)` \\|").FindAllStringSubmatch(string(doc), -1) {
		if !keys[m[1]] {
			t.Errorf("docs/configuration.md documents %s, which is no key", m[1])
		}
	}
}
