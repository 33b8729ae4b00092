package conformance

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed rules.tsv matrix.tsv
var lists embed.FS

// Rule is one thing that is asked of us.
type Rule struct {
	ID     string
	Level  string // M must, S should, Y may, I informative, P practice
	Text   string
	Source string // RFC and section, or who does it
	Proofs []Proof
	Reason string // why there is no test, or what was chosen
}

// Proof names a test.
type Proof struct {
	Package string // last element of the path
	Test    string // with subtests after slashes, spaces as underscores
}

// String is PACKAGE:TestName/subtest.
func (p Proof) String() string { return p.Package + ":" + p.Test }

// Func is the name of the test function.
func (p Proof) Func() string {
	name, _, _ := strings.Cut(p.Test, "/")
	return name
}

// dirs are the folders of the packages that proofs name.
var dirs = map[string]string{
	"src": "src", "b2bua": "b2bua", "forker": "forker", "metadata": "metadata", "scenario": "tests/scenario",
	"sdp": "internal/sdp", "srtp": "internal/srtp", "body": "internal/sip/body", "transport": "internal/sip/transport",
	"txn": "internal/sip/txn", "dialog": "internal/sip/dialog", "sip": "internal/sip", "lint": "internal/lint",
}

// Dir is the folder of a proof's package, from the root of the repository; "" for one that is not known.
func (p Proof) Dir() string { return dirs[p.Package] }

// Lists are the names of the lists.
func Lists() []string { return []string{"rules", "matrix"} }

var proofPattern = regexp.MustCompile(`^[a-z0-9]+:Test\w+(/\S+)?$`)

// Load reads a list.
func Load(name string) ([]Rule, error) {
	text, err := lists.ReadFile(name + ".tsv")
	if err != nil {
		return nil, err
	}
	var rules []Rule
	seen := map[string]bool{}
	for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) < 5 || len(fields) > 6 {
			return nil, fmt.Errorf("%s.tsv:%d: %d fields", name, i+1, len(fields))
		}
		fields = append(fields, "", "")
		r := Rule{ID: fields[0], Level: fields[1], Text: fields[2], Source: fields[3], Reason: fields[5]}
		if seen[r.ID] {
			return nil, fmt.Errorf("%s.tsv:%d: %s is there twice", name, i+1, r.ID)
		}
		seen[r.ID] = true
		for _, p := range strings.Fields(fields[4]) {
			pkg, test, _ := strings.Cut(p, ":")
			if !proofPattern.MatchString(p) || dirs[pkg] == "" {
				return nil, fmt.Errorf("%s.tsv:%d: %q names no test", name, i+1, p)
			}
			r.Proofs = append(r.Proofs, Proof{pkg, test})
		}
		rules = append(rules, r)
	}
	return rules, nil
}
