package recorder_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/recorder"
)

// Labels and identifiers come from the network and become names of files.
func TestHostileNames(t *testing.T) {
	s, ended := serve(t, nil)
	labels := []string{"../../etc/passwd", "/abs", "A", "a", ".hidden", strings.Repeat("x", 300), "con\x01trol", "..", ""}
	o := offer{xml: strings.ReplaceAll(metadataFor(two.sections), sessionID, "../../../../tmp/x\x00y")}
	for _, l := range labels {
		o.sections = append(o.sections, section{label: l})
	}
	c := dial(t, s, "tcp", len(labels))
	c.call(o)
	for i := range labels {
		newSender(c, i, "PCMU", 0, i%8).talk(5)
		packets(t, s, i, 5)
	}
	c.bye()
	sum := result(t, ended)
	root, err := filepath.Abs(filepath.Dir(sum.Folder))
	if err != nil || filepath.Base(root) != "out" {
		t.Fatalf("folder %q", sum.Folder)
	}
	files := map[string]bool{}
	for _, st := range sum.Streams {
		if filepath.Dir(st.File) != sum.Folder || files[strings.ToLower(st.File)] || strings.HasPrefix(filepath.Base(st.File), ".") {
			t.Errorf("label %q went to %q", st.Label, st.File)
		}
		files[strings.ToLower(st.File)] = true
	}
	if entries, err := os.ReadDir(filepath.Dir(root)); err != nil || len(entries) != 1 {
		t.Errorf("%d entries beside the output folder", len(entries))
	}
	if len(sum.Problems) == 0 {
		t.Error("nothing is said about such a session")
	}
}

// Every mistake is told, none ends the session.
func TestProblemsAreTold(t *testing.T) {
	tests := []struct {
		name string
		o    offer
		want string
	}{
		{"labels differ", offer{sections: two.sections, xml: metadataFor([]section{{label: "1"}, {label: "9"}})}, "9"},
		{"truncated XML", offer{sections: two.sections, xml: "<recording xmlns='urn:ietf:params:xml:ns:recording:1'><data"}, "metadata 1"},
		{"entity bomb", offer{sections: two.sections, xml: `<!DOCTYPE r [<!ENTITY a "b">]><recording/>`}, "document type"},
		{"no metadata", offer{sections: two.sections, xml: "none"}, "MD-02"},
		{"no label", offer{sections: []section{{label: "1"}, {}}}, "SDP-03"},
		{"label twice", offer{sections: []section{{label: "1"}, {label: "1"}}}, "SDP-05"},
		{"one encrypted", offer{sections: []section{{label: "1"}, {label: "2", proto: "RTP/SAVP"}}}, "encrypted"},
		{"partial first", offer{sections: two.sections, xml: strings.Replace(metadataFor(two.sections), ">complete<", ">partial<", 1)}, "MD-05"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ended := serve(t, nil)
			c := dial(t, s, "udp", 2)
			c.call(tt.o)
			newSender(c, 0, "PCMU", 0, 0).talk(10)
			packets(t, s, 0, 10)
			c.bye()
			sum := result(t, ended)
			if !strings.Contains(strings.Join(sum.Problems, "\n"), tt.want) {
				t.Errorf("problems %q, want one with %q", sum.Problems, tt.want)
			}
			only(t, "still recorded", wav(t, sum, 0).PCM, 8000, 0)
		})
	}
}

// A folder that cannot be written to ends the recordings, whose clients may go elsewhere, and keeps others away, until it can.
func TestDiskTrouble(t *testing.T) {
	var out string
	s, ended := serve(t, func(c *recorder.Config) { out, c.ProbeInterval = c.Out, 20*time.Millisecond })
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s, "tcp", 2)
	contentType, body := two.body(c)
	c.send("INVITE", siprec, contentType, body)
	m := c.next()
	c.want(m, 200)
	_, c.toTag, _ = strings.Cut(m.headers["to"], ";tag=")
	eventually(t, "the disk has refused", func() bool { return dial(t, s, "tcp", 0).ask("OPTIONS", "", "", "").status() == 503 })
	if len(c.asked) > 0 {
		t.Error("a BYE before the ACK (RFC 3261 section 15)")
	}
	c.send("ACK", "", "", "")
	if m := c.request(); !strings.HasPrefix(m.start, "BYE ") || !strings.Contains(m.headers["reason"], "cannot write") || strings.Contains(m.headers["reason"], out) {
		t.Errorf("request %q, reason %q", m.start, m.headers["reason"])
	}
	sum := result(t, ended)
	if sum.Complete || !strings.Contains(strings.Join(sum.Problems, "\n"), "writing") {
		t.Errorf("complete %v, problems %q", sum.Complete, sum.Problems)
	}
	next := dial(t, s, "tcp", 2)
	m = next.ask("INVITE", siprec, contentType, body)
	if next.want(m, 503); m.headers["retry-after"] == "" || !strings.Contains(m.headers["warning"], "cannot write") || strings.Contains(m.headers["warning"], out) {
		t.Errorf("%v", m.headers)
	}

	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	next = dial(t, s, "tcp", 2)
	next.call(two) // as soon as the folder has been tried again
	next.bye()
	if sum := result(t, ended); sum.Reason != "BYE from the client" || sum.Folder == "" {
		t.Errorf("%+v", sum)
	}
	if left, _ := filepath.Glob(filepath.Join(out, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A folder that cannot be written to at the start is told then, and not with the first recording.
func TestFolderThatIsNone(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(out, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{out, filepath.Join(out, "below"), "/proc/sys"} {
		s, err := recorder.New(recorder.Config{Listen: []string{"udp://127.0.0.1:0"}, Out: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err == nil || !strings.Contains(err.Error(), "cannot be written") {
			t.Errorf("%s: %v", dir, err)
			stop(t, s)
		}
	}
}
