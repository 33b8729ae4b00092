package metadata_test

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/metadata"
)

// sample is a line of testdata/rfc7865/index.tsv.
type sample struct{ file, verdict, note string }

func samples(t testing.TB) (out []sample) {
	t.Helper()
	f, err := os.Open("testdata/rfc7865/index.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // the heading
	for lines.Scan() {
		c := strings.Split(lines.Text(), "\t")
		out = append(out, sample{c[0], c[1], c[3]})
	}
	if lines.Err() != nil || len(out) < 30 {
		t.Fatalf("index has %d lines, %v", len(out), lines.Err())
	}
	return out
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "rfc7865", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// firstRule is what Verify must name first for each wrong sample.
var firstRule = map[string]string{
	"i01": "XML-04", "i02": "XML-03", "i03": "XML-06", "i04": "XML-06", "i05": "XML-01", "i06": "XML-30", "i07": "XML-19",
	"i08": "XML-09", "i09": "XML-17", "i10": "XML-05", "i11": "XML-03", "i12": "XML-09",
	"w01": "XML-31", "w02": "XML-06", "w03": "XML-09", "w04": "XML-08", "w05": "SDP-05", "w06": "XML-13", "w07": "XML-10", "w08": "XML-20",
}

// TestSamples reads every sample, finds its verdict, and writes those that are
// right so that they stay so.
func TestSamples(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.file, func(t *testing.T) {
			doc := read(t, s.file)
			r, err := metadata.Parse(doc)
			if errors.Is(err, metadata.ErrSnapshotRequest) {
				if _, ok := metadata.ParseSnapshotRequest(doc); !ok || s.verdict != "valid" {
					t.Error("snapshot request not read as one")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			problems := r.Verify(nil)
			if s.verdict == "valid" {
				for _, p := range problems {
					t.Errorf("found in a valid document: %v", p)
				}
				document(t, r, nil)
				return
			}
			if len(problems) == 0 {
				t.Fatalf("nothing found: %s", s.note)
			}
			p := problems[0]
			if want := firstRule[filepath.Base(s.file)[:3]]; p.Rule != want || p.Schema != (s.verdict == "schema-invalid") {
				t.Errorf("found %v (schema %v), want %s: %s", p, p.Schema, want, s.note)
			}
			for _, p := range problems {
				if metadata.RuleText(p.Rule) == "" || p.Where == "" || p.Text == "" {
					t.Errorf("problem without explanation: %+v", p)
				}
			}
		})
	}
}

// TestSamplesWrittenBackAreValid holds our writing to the schema itself: what
// was read, however wrong, is written right.
func TestSamplesWrittenBackAreValid(t *testing.T) {
	lint := xmllint(t)
	for _, s := range samples(t) {
		t.Run(s.file, func(t *testing.T) {
			in := read(t, s.file)
			if valid := lint(in) == nil; valid != (s.verdict != "schema-invalid") {
				t.Fatalf("the sample itself: valid is %v", valid)
			}
			r, err := metadata.Parse(in)
			if errors.Is(err, metadata.ErrSnapshotRequest) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			out, err := r.XML()
			if err != nil {
				t.Fatal(err)
			}
			if err := lint(out); err != nil {
				t.Errorf("%v in\n%s", err, out)
			}
		})
	}
}
