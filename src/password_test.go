package src_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// The password in an SRS's URI is for that SRS: who looks at the client never sees it, nor needs it to name the SRS.
func TestPasswordOfURI(t *testing.T) {
	const secret = "hush-hush"
	busy, rec := newSRS(t, "busy"), newSRS(t, "srs")
	busy.AutoReply("INVITE", 503)
	busy.Auto("ACK", func(*peer.Incoming) bool { return true })
	with := func(uri string) string { return strings.Replace(uri, "sip:", "sip:rec:"+secret+"@", 1) }
	r := newRig(t, []string{with(busy.URI("")), with(rec.URI(""))})
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	if !strings.Contains(s.Invite.URI(), secret) {
		t.Errorf("the SRS is asked as %q, without its password", s.Invite.URI())
	}
	v := c.await(metadata.StateRecording)
	for _, srs := range []string{with(rec.URI("")), v.SRS} { // both name it
		if _, err := r.client.Move(context.Background(), v.ID, srs); err != nil {
			t.Fatalf("moving to %q: %v", srs, err)
		}
		s.End()
		s = rec.Accept()
		c.await(metadata.StateRecording)
	}
	c.end()
	s.End()
	c.ended(src.Complete)
	var seen bytes.Buffer
	see := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(b)
	}
	see(r.client.Recordings())
	see(r.client.SRSs())
	r.mu.Lock()
	see(r.events)
	see(r.verdicts)
	r.mu.Unlock()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		seen.WriteString(f.String() + "\n")
	}
	seen.WriteString(r.log.String())
	for line := range strings.SplitSeq(seen.String(), "\n") {
		if strings.Contains(line, secret) {
			t.Errorf("shows the password: %.400s", line)
		}
	}
	if !strings.Contains(seen.String(), "sip:rec:***@") {
		t.Error("does not show the SRS at all")
	}
}
