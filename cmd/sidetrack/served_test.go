package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sidetrack/tests/peer"
)

// told is what a command has said when it was over.
type told struct {
	status   int
	out, err string
}

// running is a served proxy between a caller, a callee and three SRSs, all of them scripted.
type running struct {
	t              *testing.T
	ladder         *peer.Ladder
	caller, callee *peer.Peer
	srss           []*peer.Recorder
	sip            netip.AddrPort
	file, text     string // of its configuration
	api            string // by which the commands ask it
}

const servedYAML = `
sip: {listen: ["udp://%[1]s", "tcp://%[1]s"], trusted: [127.0.0.0/8], drain: 5s}
routes: [{to: "%[2]s"}]
media: {listen: %[3]s, ports: 27200-27399}
recorders:
  main: {srs: "%[4]s, %[5]s, %[6]s", pause: stop, mask: silence, parameters: metadata}
  quality: {srs: "%[6]s"}
recording: [{recorder: main}]
http: {listen: "%[7]s", socket: %[8]s, rate: 0}
webhooks: {queue: %[9]s, hooks: [{name: crm, url: "http://%[3]s:9", events: [call.failed], secret: 0123456789abcdef}]}
`

// place is a loopback address of this run alone.
func place(n int) string { return fmt.Sprintf("127.47.%d.%d", os.Getpid()%250+1, n) }

// free is an address below what the kernel gives to port 0, free for UDP and TCP.
func free(t *testing.T, ip string, from int) string {
	t.Helper()
	for port := from; port < from+50; port++ {
		at := fmt.Sprintf("%s:%d", ip, port)
		tcp, err := net.Listen("tcp", at)
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", at)
		tcp.Close()
		if err == nil {
			udp.Close()
			return at
		}
	}
	t.Fatalf("no port free on %s", ip)
	return ""
}

// serving runs the proxy until the test ends.
func serving(t *testing.T) *running {
	t.Helper()
	return servingTo(t, &output{})
}

// servingTo does so with a log of the test's own.
func servingTo(t *testing.T, log interface {
	io.Writer
	fmt.Stringer
}) *running {
	t.Helper()
	p := &running{t: t, ladder: peer.NewLadder(t)}
	p.caller = peer.New(t, p.ladder, "caller", place(2))
	p.callee = peer.New(t, p.ladder, "callee", place(3))
	for i := range 3 {
		p.srss = append(p.srss, peer.NewRecorder(t, p.ladder, fmt.Sprintf("srs%d", i+1), place(4+i)))
	}
	dir := t.TempDir()
	sip, web, socket := free(t, place(1), 5100), free(t, place(1), 5200), filepath.Join(dir, "api.sock")
	p.sip, p.api, p.file = netip.MustParseAddrPort(sip), "http://"+web, filepath.Join(dir, "sidetrack.yaml")
	p.text = fmt.Sprintf(servedYAML, sip, p.callee.URI(""), place(1), p.srss[0].URI(""), p.srss[1].URI(""), p.srss[2].URI(""), web, socket, dir+"/queue")
	if err := os.WriteFile(p.file, []byte(p.text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out output
	status := make(chan int, 1)
	go func() { status <- run([]string{"serve", "--config", p.file}, stdio{&out, log}) }()
	if !peer.Eventually(func() bool { return p.ready() || len(status) > 0 }) || len(status) > 0 {
		t.Fatalf("it does not serve:\n%s", log)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if s := <-status; s != 0 {
			t.Errorf("serve: %d", s)
		}
		if t.Failed() {
			t.Logf("the proxy's log:\n%s", log)
		}
	})
	return p
}

// ready tells whether calls are taken.
func (p *running) ready() bool {
	resp, err := http.Get(p.api + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// begin runs a command that may need the SRS's help before it is over.
func (p *running) begin(args ...string) <-chan told {
	over := make(chan told, 1)
	args = append(args, "--api", p.api)
	go func() {
		var v told
		v.status, v.out, v.err = try(args...)
		over <- v
	}()
	return over
}

// says runs a command that succeeds and says that.
func (p *running) says(want string, args ...string) string {
	p.t.Helper()
	return p.said(want, p.begin(args...), args...)
}

// said awaits a command begun before.
func (p *running) said(want string, over <-chan told, args ...string) string {
	p.t.Helper()
	v := <-over
	if v.status != 0 || !holds(v.out, want) {
		p.t.Fatalf("sidetrack %s: %d, without %q\nout: %s\nerr: %s", strings.Join(args, " "), v.status, want, v.out, v.err)
	}
	return v.out
}

// shown is an object that a command shows as JSON; the n-th line of a list.
func (p *running) shown(v any, n int, args ...string) {
	p.t.Helper()
	lines := strings.Split(p.says("{", append(args, "--json")...), "\n")
	if err := json.Unmarshal([]byte(lines[min(n, len(lines)-1)]), v); err != nil {
		p.t.Errorf("sidetrack %s: %v", strings.Join(args, " "), err)
	}
}

// shownRecording is one as 'sidetrack recordings ID' has it.
type shownRecording struct {
	ID, Name, State, SRS string
	Parameters           map[string]string
	Streams              []struct {
		Label, Party string
		Masked       bool
	}
}

func (p *running) recording(id string) (v shownRecording) {
	p.t.Helper()
	p.shown(&v, 0, "recordings", id)
	return v
}

// inState waits until the API says so of a recording.
func (p *running) inState(id, want string) {
	p.t.Helper()
	if !peer.Eventually(func() bool { return p.recording(id).State == want }) {
		p.t.Errorf("%s is not %s: %+v", id, want, p.recording(id))
	}
}

// conversation is an answered call in which both talk.
type conversation struct {
	left, right *peer.Dialog
	a, b        *peer.Media
}

func (p *running) call() *conversation {
	p.t.Helper()
	c := &conversation{a: peer.NewMedia(p.t, place(2), "call", "alice"), b: peer.NewMedia(p.t, place(3), "call", "bob")}
	out := p.caller.Invite(p.sip, peer.Call{URI: "sip:bob@pbx.test", From: "<sip:alice@caller.test>", SDP: peer.BuildSDP(1, peer.Line{Media: c.a})})
	in := p.callee.Expect("INVITE")
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	ok := out.Expect(200)
	c.left, c.right = out.Dialog(ok), in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	c.a.Talk(peer.ParseSDP(ok.SDP()).Media[0].Addr())
	c.b.Talk(peer.ParseSDP(in.SDP()).Media[0].Addr())
	return c
}

func (c *conversation) hangUp() {
	bye := c.left.Send("BYE")
	c.right.AnswerBye()
	bye.Expect(200)
	c.a.Quiet()
	c.b.Quiet()
}

// copied waits until an SRS has more of both parties.
func (c *conversation) copied(rs *peer.Session) {
	rs.Streams["1"].AwaitFrom("alice", c.a.Sent(), 3)
	rs.Streams["2"].AwaitFrom("bob", c.b.Sent(), 3)
}
