package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// Every command, by either door, steers a proxy that serves a call: it succeeds, says so, and the API, the SRSs and the
// files have what came of it.
func TestCommandsSteerARunningProxy(t *testing.T) {
	p := serving(t)
	for _, p.api = range []string{p.api, "unix://" + filepath.Join(filepath.Dir(p.file), "api.sock")} {
		t.Logf("by %s", p.api)
		p.steered()
	}
	for _, it := range []*peer.Peer{p.caller, p.callee, p.srss[0].Peer, p.srss[1].Peer, p.srss[2].Peer} {
		if left := it.Unexpected(); len(left) > 0 {
			t.Errorf("%s got what it did not expect: %q", it.Name, left)
		}
	}
}

func (p *running) steered() {
	t := p.t
	c := p.call()
	rs := p.srss[0].Accept()
	c.copied(rs)

	var call struct {
		ID, From, To string
		Recordings   []string
	}
	p.shown(&call, 0, "calls")
	if call.From != "sip:alice@caller.test" || call.To != "sip:bob@pbx.test" || len(call.Recordings) != 1 {
		t.Fatalf("calls: %+v", call)
	}
	id := call.Recordings[0]
	p.inState(id, "recording")
	p.says("\n"+call.ID+"  answered  ", "calls", "--json=false")
	p.says(`"id":"`+call.ID+`"`, "calls", call.ID, "--json")
	p.says("\n"+id+"  recording  ", "recordings", "--json=false")
	p.says("\nmain      0      "+p.srss[0].URI("")+"  fit", "srs", "--json=false")
	if !peer.Eventually(func() bool {
		return strings.Contains(p.says("CALL", "top", "--json=false"), "\n"+call.ID+"  answered  ")
	}) { // its list may be a second old
		t.Errorf("top never shows %s", call.ID)
	}
	p.says("INVITE", "ladder", call.ID, "--json=false")
	p.captured(call.ID)

	p.updated(rs, []string{"inactive", "inactive"}, id+" paused\n", "pause", id)
	p.inState(id, "paused")
	p.updated(rs, []string{"sendonly", "sendonly"}, id+" recording\n", "resume", id)
	p.inState(id, "recording")
	c.copied(rs)
	p.masked(c, rs, id)
	p.updated(rs, []string{"sendonly", "sendonly"}, id+" recording\n", "tag", id, "agent=7", "case=a-1")
	for _, want := range []string{`<parameter name="agent">7</parameter>`, `<parameter name="case">a-1</parameter>`} {
		if !strings.Contains(string(rs.Doc().Raw), want) {
			t.Errorf("no %s in\n%s", want, rs.Doc().Raw)
		}
	}
	p.named(c, call.ID)
	p.drained(call.ID)

	over := p.begin("move", id, "--srs", p.srss[2].URI(""), "--json=false") // past the next one
	rs.End()
	next := p.srss[2].Accept()
	p.said(id+" ", over, "move")
	p.inState(id, "recording")
	if v := p.recording(id); v.SRS != p.srss[2].URI("") || next.Doc().Sessions[0].ID != rs.Doc().Sessions[0].ID {
		t.Errorf("moved: %+v\n%s", v, next.Doc().Raw)
	}
	c.copied(next)
	p.reloaded()
	c.hangUp()
	next.End()
	p.inState(id, "ended")
}

// updated runs a command that the SRS gets an update of.
func (p *running) updated(rs *peer.Session, directions []string, want string, args ...string) {
	p.t.Helper()
	over := p.begin(append(args, "--json=false")...)
	rs.Update()
	p.said(want, over, args...)
	if !slices.Equal(rs.Directions(), directions) {
		p.t.Errorf("sidetrack %s: the SRS is offered %v", strings.Join(args, " "), rs.Directions())
	}
}

// captured checks that a capture has what the parties say.
func (p *running) captured(call string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "call.pcap")
	p.says("", "capture", call, "--pcap", file, "--bytes", "65536")
	b, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(b, []byte("id|call|alice|")) || !bytes.Contains(b, []byte("id|call|bob|")) {
		p.t.Errorf("%d bytes are captured, not both parties: %v", len(b), err)
	}
}

// masked hides the caller, and checks that the other party goes on; tail tells of it.
func (p *running) masked(c *conversation, rs *peer.Session, id string) {
	p.t.Helper()
	hidden := func() (all []string) {
		for _, s := range p.recording(id).Streams {
			if s.Masked {
				all = append(all, s.Party)
			}
		}
		return all
	}
	event := p.begin("tail", "--count", "1", "--type", "recording.masked", "--json=false")
	for told := false; !told; { // it tells what comes once it is connected
		p.says(id+" recording\n", "mask", id, "--tracks", "caller", "--json=false")
		if got := hidden(); !slices.Equal(got, []string{"caller"}) {
			p.t.Errorf("masked are %v", got)
		}
		from := len(rs.Streams["1"].Packets())
		rs.Streams["1"].Await("silence in the caller's place", func(all []peer.Packet) bool {
			return slices.ContainsFunc(all[from:], func(p peer.Packet) bool { return p.Party == "" })
		})
		rs.Streams["2"].AwaitFrom("bob", c.b.Sent(), 3)
		p.says(id+" recording\n", "unmask", id, "--json=false")
		if got := hidden(); len(got) > 0 {
			p.t.Errorf("still masked are %v", got)
		}
		c.copied(rs)
		told = len(event) > 0
	}
	p.said("recording.masked", event, "tail")
}

// named starts a recording of one side by name, and stops it by that name.
func (p *running) named(c *conversation, call string) {
	p.t.Helper()
	id, rs := p.started(p.srss[2], call, "--recorder", "quality", "--name", "n1", "--tracks", "caller")
	rs.Streams["1"].AwaitFrom("alice", c.a.Sent(), 3)
	if v := p.recording(call + ":n1"); v.ID != id || v.Name != "n1" || !slices.Equal(rs.Labels, []string{"1"}) {
		p.t.Errorf("n1 is %+v with labels %v", v, rs.Labels)
	}
	p.stopped(rs, call, "n1", id)
}

func (p *running) started(srs *peer.Recorder, call string, args ...string) (id string, rs *peer.Session) {
	p.t.Helper()
	over := p.begin(append([]string{"start", call, "--json=false"}, args...)...)
	rs = srs.Accept()
	id, _, _ = strings.Cut(p.said("ing\n", over, "start"), " ") // starting or recording already
	p.inState(id, "recording")
	return id, rs
}

func (p *running) stopped(rs *peer.Session, call, name, id string) {
	p.t.Helper()
	over := p.begin("stop", call+":"+name, "--json=false")
	rs.End()
	p.said(id+" ended\n", over, "stop", name)
	p.inState(id, "ended")
}

// drained takes the first SRS out and in: new recordings go past it, and to it again.
func (p *running) drained(call string) {
	p.t.Helper()
	p.says(p.srss[0].URI("")+" drained, 1 sessions\n", "drain", "main/0", "--json=false")
	p.says("drained", "srs", "--json=false")
	id, rs := p.started(p.srss[1], call, "--recorder", "main", "--name", "past")
	p.stopped(rs, call, "past", id)
	p.says(p.srss[0].URI("")+" fit, 1 sessions\n", "enable", "main/0", "--json=false")
	id, rs = p.started(p.srss[0], call, "--recorder", "main", "--name", "again")
	p.stopped(rs, call, "again", id)
}

// reloaded changes the file: what can be is in force, and the rest is named.
func (p *running) reloaded() {
	p.t.Helper()
	change := strings.NewReplacer("routes: [", `routes: [{name: fresh, match: {from: nobody}, to: "sip:nowhere.test"}, `, "/queue,", "/other,")
	for _, tt := range []struct{ text, want string }{
		{change.Replace(p.text), p.file + " is in force\nafter a restart: webhooks.queue\n"},
		{p.text, p.file + " is in force\n"},
	} {
		if err := os.WriteFile(p.file, []byte(tt.text), 0o600); err != nil {
			p.t.Fatal(err)
		}
		if out := p.says("in force", "reload", "--json=false"); out != tt.want {
			p.t.Errorf("reload says %q, not %q", out, tt.want)
		}
		if got, want := strings.Contains(p.says("route", "rules", "--json=false"), "fresh"), tt.text != p.text; got != want {
			p.t.Errorf("the new route is there: %v, want %v", got, want)
		}
	}
}
