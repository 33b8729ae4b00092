package repo_test

import (
	"path"
	"strings"
	"testing"

	"sidetrack/tests/conformance"
)

// Each rule of the lists names tests that exist, or says why there is none; no must is without proof unless its text says
// that we do not do what it is about.
func TestConformanceLists(t *testing.T) {
	defined, texts := map[string]bool{}, map[string]string{}
	for _, s := range sources(t) {
		if !s.test() {
			continue
		}
		texts[s.dir()] += s.text
		for _, decl := range strings.Split(s.text, "\nfunc ")[1:] {
			name, _, _ := strings.Cut(decl, "(")
			defined[path.Join(s.dir(), name)] = true
		}
	}
	for _, list := range conformance.Lists() {
		rules, err := conformance.Load(list)
		if err != nil {
			t.Fatal(err)
		}
		if len(rules) < 60 {
			t.Errorf("%s: %d rules", list, len(rules))
		}
		for _, r := range rules {
			if len(r.Proofs) == 0 && r.Reason == "" {
				t.Errorf("%s: %s has neither test nor reason", list, r.ID)
			}
			for _, p := range r.Proofs {
				if !defined[path.Join(p.Dir(), p.Func())] {
					t.Errorf("%s: %s names %s, which is not there", list, r.ID, p)
				}
				_, sub, _ := strings.Cut(p.Test, "/")
				last := sub[strings.LastIndexByte(sub, '/')+1:]
				if !strings.Contains(texts[p.Dir()], strings.ReplaceAll(last, "_", " ")) {
					t.Errorf("%s: %s names the subtest %q, which no test of %s has", list, r.ID, last, p.Dir())
				}
			}
		}
	}
}
