package scenario_test

import (
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/tests/peer"
)

var update = flag.Bool("update", false, "write the golden files anew")

// chronicle is the metadata that recorders got in the course of one scenario, document by document. Times are told by
// the chapter of the scenario in which they fall, ten seconds each, and identifiers by the order in which they appear,
// so that a chronicle reads the same in each run.
type chronicle struct {
	t        *testing.T
	chapters []time.Time
	names    []string
	docs     [][]byte
	rename   []string // pairs of what differs from run to run and its name
}

// newChronicle begins one.
func newChronicle(st *stage) *chronicle {
	c := &chronicle{t: st.t, rename: []string{st.caller.Addr().String(), "caller.test", st.callee.Addr().String(), "pbx.test"}}
	c.chapter()
	return c
}

// call names a call.
func (c *chronicle) call(name string, call *call) {
	c.rename = append(c.rename, call.out.Sent.CallID(), name)
}

// chapter begins a new one: what happened before has another time, in the milliseconds that documents tell.
func (c *chronicle) chapter() {
	now := time.Now().Truncate(time.Millisecond).Add(time.Millisecond)
	for time.Now().Before(now) { // at most a millisecond
	}
	c.chapters = append(c.chapters, now)
}

// note keeps the newest document of a session.
func (c *chronicle) note(name string, raw []byte) {
	c.names = append(c.names, fmt.Sprintf("%02d-%s.xml", len(c.names)+1, name))
	c.docs = append(c.docs, raw)
}

// last keeps the document in the BYE.
func (c *chronicle) last(name string, bye *peer.Incoming) {
	c.t.Helper()
	raw := bye.Part("application/rs-metadata+xml")
	if raw == nil {
		c.t.Fatalf("no document in\n%s", bye.Raw)
	}
	c.note(name, raw)
}

var (
	instantPattern    = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	identifierPattern = regexp.MustCompile(`[A-Za-z0-9+/]{22}==`)
)

// compare holds the chronicle against testdata/chronicles/NAME, each document of which must be right by itself: the
// complete ones as they are, the partial ones in what a reader makes of them.
func (c *chronicle) compare(name string) {
	c.t.Helper()
	known := map[string]string{}
	dir := filepath.Join("testdata", "chronicles", name)
	if *update {
		os.RemoveAll(dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	for i, raw := range c.docs {
		text := c.normal(string(raw), known)
		c.judge(c.names[i], text)
		file := filepath.Join(dir, c.names[i])
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				c.t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			c.t.Fatalf("%v (run with -update to write it)", err)
		}
		if text != string(want) {
			c.t.Errorf("%s differs; got\n%s\nwant\n%s", file, text, want)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.xml"))
	if len(files) != len(c.docs) {
		c.t.Errorf("%d documents, %d files in %s", len(c.docs), len(files), dir)
	}
}

func (c *chronicle) normal(text string, known map[string]string) string {
	text = identifierPattern.ReplaceAllStringFunc(text, func(id string) string {
		if known[id] == "" {
			octets := [16]byte{6: 0x40, 8: 0x80, 15: byte(len(known) + 1)}
			known[id] = base64.StdEncoding.EncodeToString(octets[:])
		}
		return known[id]
	})
	text = instantPattern.ReplaceAllStringFunc(text, func(s string) string {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			c.t.Errorf("time %q: %v", s, err)
		}
		chapter := 0
		for i, began := range c.chapters {
			if !at.Before(began) {
				chapter = i + 1
			}
		}
		return time.Date(2026, 1, 1, 12, 0, 10*chapter, 0, time.UTC).Format("2006-01-02T15:04:05.000Z")
	})
	return strings.NewReplacer(c.rename...).Replace(text)
}

func (c *chronicle) judge(name, text string) {
	c.t.Helper()
	doc, err := metadata.Parse([]byte(text))
	if err != nil {
		c.t.Errorf("%s: %v", name, err)
		return
	}
	for _, p := range doc.Verify(nil) {
		c.t.Errorf("%s: %v", name, p)
	}
	program, err := exec.LookPath("xmllint")
	if err != nil {
		return // metadata.Parse knows the schema too
	}
	cmd := exec.Command(program, "--noout", "--nonet", "--schema", "../../metadata/testdata/rs-metadata.xsd", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Errorf("%s: %s", name, out)
	}
}
