package metadata_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
)

var update = flag.Bool("update", false, "write the golden files anew")

const schemaFile = "testdata/rs-metadata.xsd"

// xmllint returns a function that validates a document against the schema of
// RFC 7865. Without the program the calling test is skipped.
func xmllint(t testing.TB) func(doc []byte) error {
	t.Helper()
	program, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed: documents are not validated against the schema")
	}
	return func(doc []byte) error {
		cmd := exec.Command(program, "--noout", "--nonet", "--schema", schemaFile, "-")
		cmd.Stdin = strings.NewReader(string(doc))
		if out, err := cmd.CombinedOutput(); err != nil {
			return &lintError{string(out)}
		}
		return nil
	}
}

type lintError struct{ text string }

func (e *lintError) Error() string { return e.text }

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; got\n%s", file, got)
	}
}

// counter makes identifiers of version 4 that tell their number.
func counter() func() metadata.UUID {
	n := byte(0)
	return func() metadata.UUID {
		n++
		return metadata.UUID{0: 0xab, 6: 0x40, 8: 0x80, 15: n}
	}
}

var t0 = time.Date(2026, 3, 2, 9, 15, 0, 250_000_000, time.UTC)

func after(d time.Duration) time.Time { return t0.Add(d) }

const sessionID = "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2"

// call is an answered call with one audio stream, both sides sending.
func call() metadata.Snapshot {
	flow := metadata.Flow{Formats: []metadata.Format{{PT: 8, Name: "PCMA", Clock: 8000}}, Sends: true}
	return metadata.Snapshot{
		ID: "c1", SIPCallID: "a84b4c76e66710@pbx.example.com", SessionID: sessionID,
		Caller:  metadata.Party{AOR: "sip:alice@example.com", Name: "Alice"},
		Callee:  metadata.Party{AOR: "sip:bob@example.net", Name: "Bob"},
		Streams: []metadata.MediaStream{{Index: 0, Kind: "audio", Caller: flow, Callee: flow}},
		Started: t0.Add(-5 * time.Second), Answered: t0, State: metadata.CallAnswered,
	}
}

// both is the usual recording: label 1 the caller, label 2 the callee.
func both() []metadata.LabeledStream {
	return []metadata.LabeledStream{
		{Label: "1", Party: metadata.Caller, Active: true},
		{Label: "2", Party: metadata.Callee, Active: true},
	}
}

// document writes r and checks that it is right in each way we can tell.
func document(t *testing.T, r *metadata.Recording, labels []string) []byte {
	t.Helper()
	doc, err := r.XML()
	if err != nil {
		t.Fatalf("writing: %v", err)
	}
	for _, p := range r.Verify(labels) {
		t.Errorf("before writing: %v", p)
	}
	back, err := metadata.Parse(doc)
	if err != nil {
		t.Fatalf("reading back: %v in\n%s", err, doc)
	}
	for _, p := range back.Verify(labels) {
		t.Errorf("read back: %v in\n%s", p, doc)
	}
	return doc
}
