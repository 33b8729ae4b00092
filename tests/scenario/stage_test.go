package scenario_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"go.uber.org/goleak"

	"sidetrack/internal/app"
	"sidetrack/tests/peer"
)

// Who lives where: a datagram tells by its source who sent it. Each run has addresses of its own, so that two runs on
// one machine do not meet.
var (
	systemIP   = home(1)
	callerIP   = home(2)
	calleeIP   = home(3)
	srsIP      = home(4) // the n-th SRS is at .4+n
	apiIP      = home(50)
	nowhereIP  = home(60)
	strangerIP = home(66)
)

func home(n int) string { return fmt.Sprintf("127.41.%d.%d", os.Getpid()%250+1, n) }

// The parties of the scenarios' calls.
const (
	aliceAOR = "sip:alice@caller.test"
	bobAOR   = "sip:bob@pbx.test"
)

// setup says how a stage is built.
type setup struct {
	srs            int // how many SRSs; 1 when 0, none when negative
	srsNets        []string
	callee         string // transport to the callee: udp (default) or tcp
	srsParams      string // after each SRS's URI, such as ";transport=tcp"
	srsURIs        string // replaces the list of SRSs
	srsAsked       bool   // OPTIONS to the SRSs are for the scenario to answer
	skip           string // skip_failover_codes
	timeout        string // of an SRS; 30s when empty, which only tests of it can meet
	identity       string
	drain          string
	rule           string        // more keys of the recording rule, such as "required: true"
	noPolicy       bool          // no recording rule at all
	sockets        string        // more of them for sip.listen, each with a comma behind
	sip            string        // more keys of the sip section, one line
	route          string        // more keys of the route, such as "srtp: pass"
	recorder       string        // more keys of the recorder, each line indented by four
	journal        string        // file of the journal; none when empty
	more           string        // more sections
	http           string        // more keys of the http section, one line
	redact         string        // none when empty
	to             string        // replaces the route's target; %s is the callee's address
	mediaTimeout   string        // 60s when empty
	t1             time.Duration // of SIP; usualT1 when 0
	mediaAdvertise string        // where the others are told to send; the address itself when empty
	portable       bool          // media by the driver that every platform has
	ports          string        // media ports; 22000-23999 when empty, clear of what the kernel gives to port 0
}

// stage is the theatre of one scenario.
type stage struct {
	t      *testing.T
	ladder *peer.Ladder
	caller *peer.Peer
	callee *peer.Peer
	srss   []*peer.Recorder
	sys    *System
	calls  int
}

const yamlText = `
sip:
  listen: [{{.s.sockets}}"udp://{{.listen}}", "tcp://{{.listen}}"]
  trusted: [127.0.0.0/8]
  identity: {{.s.identity}}
  drain: {{.s.drain}}
  {{.s.sip}}
routes:
  - to: "{{.to}}"
    {{.s.route}}
media:
  listen: {{.ip}}
{{if .s.mediaAdvertise}}  advertise: {{.s.mediaAdvertise}}
{{end}}  ports: {{.s.ports}}
  timeout: {{.s.mediaTimeout}}
recorders:
  main:
    srs: "{{.srs}}"
    timeout: {{.s.timeout}}
    skip_failover_codes: "{{.s.skip}}"
{{.s.recorder}}
{{if not .s.noPolicy}}recording:
  - recorder: main
    {{.s.rule}}
{{end}}http:
  listen: {{.http}}
  rate: 0
  {{.s.http}}
{{if .s.journal}}journal: {file: "{{.s.journal}}"}
{{end}}{{.s.more}}
log: {level: debug, format: text, redact: {{.s.redact}}}
`

// newStage opens the peers and starts the system between them. finish runs at the end of the test.
func newStage(t *testing.T, s setup) *stage {
	t.Helper()
	return newStageWith(t, s, func(*stage, *setup) {})
}

// newStageWith lets the scenario change the setup once the peers' addresses are known.
func newStageWith(t *testing.T, s setup, change func(*stage, *setup)) *stage {
	t.Helper()
	// Registered first, so that it runs last: after the system has stopped and the peers are closed.
	before, sockets := goleak.IgnoreCurrent(), openSockets()
	t.Cleanup(func() {
		if err := goleak.Find(before); err != nil {
			t.Errorf("goroutines left: %v", err)
		}
		if !t.Failed() && !peer.Eventually(func() bool { return openSockets() <= sockets }) {
			t.Errorf("%d sockets left", openSockets()-sockets)
		}
	})
	st := &stage{t: t, ladder: peer.NewLadder(t)}
	st.caller = peer.New(t, st.ladder, "caller", callerIP)
	st.callee = peer.New(t, st.ladder, "callee", calleeIP)
	for i := range max(s.srs, 1) {
		if s.srs < 0 {
			break
		}
		srs := peer.NewRecorder(t, st.ladder, fmt.Sprintf("srs%d", i+1), srsAddr(i), s.srsNets...)
		if !s.srsAsked {
			srs.AutoReply("OPTIONS", 200) // in a dialog after ten seconds, which a test may take on a busy machine
		}
		st.srss = append(st.srss, srs)
	}
	change(st, &s)
	st.sys = startWith(t, st.ladder, st.yaml(s), app.Options{Portable: s.portable, T1: s.t1})
	t.Cleanup(st.finish)
	return st
}

// bothEngines runs a scenario with either way of moving packets.
func bothEngines(t *testing.T, scenario func(t *testing.T, portable bool)) {
	t.Run("native", func(t *testing.T) { scenario(t, false) })
	t.Run("portable", func(t *testing.T) { scenario(t, true) })
}

// openSockets is how many sockets this process has open; 0 where the system does not tell.
func openSockets() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	n := 0
	for _, entry := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

func srsAddr(i int) string { return home(4 + i) }

func (st *stage) yaml(s setup) string {
	for field, value := range map[*string]string{
		&s.identity: "preserve", &s.drain: "5s", &s.timeout: "30s", &s.ports: "22000-23999", &s.mediaTimeout: "60s", &s.redact: "none",
	} {
		if *field == "" {
			*field = value
		}
	}
	to := st.callee.URI("")
	if s.callee == "tcp" {
		to += ";transport=tcp"
	}
	if s.to != "" {
		to = strings.ReplaceAll(s.to, "%s", st.callee.Addr().String())
	}
	if s.srsURIs == "" {
		for i, srs := range st.srss {
			if i > 0 {
				s.srsURIs += ", "
			}
			s.srsURIs += srs.URI(s.srsParams)
		}
	}
	if s.srsURIs == "" {
		s.srsURIs = "sip:" + srsIP + ":9" // named, never asked
	}
	view := map[string]any{
		"listen": freePort(st.t, systemIP), "http": freePort(st.t, apiIP), "ip": systemIP, "to": to, "srs": s.srsURIs,
		"s": map[string]any{
			"identity": s.identity, "drain": s.drain, "timeout": s.timeout, "skip": s.skip, "rule": s.rule,
			"noPolicy": s.noPolicy, "sockets": s.sockets, "sip": s.sip, "ports": s.ports, "route": s.route, "recorder": s.recorder, "journal": s.journal, "more": s.more, "http": s.http, "redact": s.redact, "mediaTimeout": s.mediaTimeout, "mediaAdvertise": s.mediaAdvertise,
		},
	}
	var b bytes.Buffer
	if err := template.Must(template.New("yaml").Parse(yamlText)).Execute(&b, view); err != nil {
		st.t.Fatalf("making the configuration: %v", err)
	}
	return b.String()
}

// nextPort is where freePort looks: below what the kernel gives to port 0, so that nobody takes it before it is bound.
var nextPort atomic.Int32

// freePort is an address whose port is free for UDP and TCP now. Nothing else binds on these loopback addresses.
func freePort(t *testing.T, ip string) string {
	t.Helper()
	for range 50 {
		at := fmt.Sprintf("%s:%d", ip, 5000+nextPort.Add(1)%10000)
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
	t.Fatalf("no port free for UDP and TCP on %s", ip)
	return ""
}

// srs is the first SRS.
func (st *stage) srs() *peer.Recorder { return st.srss[0] }

// finish is the end of each scenario: nobody got what he did not expect, and the system holds nothing any more.
func (st *stage) finish() {
	if st.t.Failed() {
		return // what is left would only hide what failed
	}
	peers := []*peer.Peer{st.caller, st.callee}
	for _, srs := range st.srss {
		peers = append(peers, srs.Peer)
	}
	for _, p := range peers {
		if left := p.Unexpected(); len(left) > 0 {
			st.t.Errorf("%s got what it did not expect: %q", p.Name, left)
		}
	}
	st.sys.Empty()
}

// call is an answered call.
type call struct {
	st          *stage
	out         *peer.Outgoing // the caller's INVITE
	in          *peer.Incoming // as the callee has it
	ok          *peer.Message  // the 200 as the caller has it
	ack         *peer.Incoming // of its 200
	left, right *peer.Dialog
	a, b        *peer.Media
	aTo, bTo    media // where each sends
	sdpVersion  int
}

// dialing says what is unusual about a call.
type dialing struct {
	network string // caller's, udp when empty
	from    string
	uri     string
	opts    []peer.Opt // of the INVITE
	answer  []peer.Opt // of the 200
	payload int
	quiet   bool // nobody talks
}

func (st *stage) newCall(d dialing) *call {
	st.calls++
	name := fmt.Sprintf("call%d", st.calls)
	c := &call{st: st, sdpVersion: 1}
	c.a = peer.NewMedia(st.t, callerIP, name, "alice")
	c.b = peer.NewMedia(st.t, calleeIP, name, "bob")
	c.a.PT, c.b.PT = uint8(d.payload), uint8(d.payload)
	return c
}

// invite sends the caller's INVITE and gives the call with what the callee received.
func (st *stage) invite(d dialing) *call {
	st.t.Helper()
	c := st.newCall(d)
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{
		Network: d.network, URI: or(d.uri, bobAOR), From: or(d.from, "<"+aliceAOR+">"),
		SDP: peer.BuildSDP(1, peer.Line{Media: c.a, Payload: d.payload}), Opts: d.opts,
	})
	c.in = st.callee.Expect("INVITE")
	return c
}

// establish makes an answered call in which both talk.
func (st *stage) establish(d dialing) *call {
	st.t.Helper()
	c := st.invite(d)
	c.in.Reply(180)
	c.out.Expect(180)
	c.answer(d)
	return c
}

// answer sends the callee's 200, takes it at the caller, acknowledges, and lets both talk.
func (c *call) answer(d dialing) {
	c.st.t.Helper()
	answer := peer.BuildSDP(1, peer.Line{Media: c.b, Payload: d.payload})
	c.in.Reply(200, append([]peer.Opt{peer.WithSDP(answer)}, d.answer...)...)
	c.accepted(d)
}

// accepted takes the 200 at the caller, acknowledges, and lets both talk.
func (c *call) accepted(d dialing) {
	c.st.t.Helper()
	ok := c.out.Expect(200)
	c.ok, c.left, c.right = ok, c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.ack = c.right.Expect("ACK")
	c.aTo, c.bTo = firstMedia(c.st.t, ok), firstMedia(c.st.t, c.in.Message)
	if !d.quiet {
		c.talk()
	}
}

// talk lets both parties send.
func (c *call) talk() {
	c.a.Talk(c.aTo.rtp)
	c.b.Talk(c.bTo.rtp)
}

// heard waits until each party has heard n more packets of the other.
func (c *call) heard(n int) {
	c.st.t.Helper()
	c.b.AwaitFrom(c.a.Party, c.a.Sent(), n)
	c.a.AwaitFrom(c.b.Party, c.b.Sent(), n)
}

// hangUp ends the call from the caller's side and lets the callee answer.
func (c *call) hangUp() {
	c.st.t.Helper()
	bye := c.left.Send("BYE")
	c.right.AnswerBye()
	bye.Expect(200)
	c.a.Quiet()
	c.b.Quiet()
}

// quiet stops both and waits until all that was sent has arrived, each packet bit for bit and nothing else.
func (c *call) quiet() {
	c.st.t.Helper()
	c.a.Quiet()
	c.b.Quiet()
	c.whole(c.a, c.b)
	c.whole(c.b, c.a)
}

// result waits until the first recording has ended so.
func (st *stage) result(want string) item {
	st.t.Helper()
	var r item
	if !peer.Eventually(func() bool { r = st.sys.recordings()[0]; return r.str("result") == want }) {
		st.t.Errorf("wanted %q: %v", want, r)
	}
	return r
}

// whole waits until to has everything that from sent, and compares the bytes. Not their order, for loopback itself lets
// packets overtake others when their sender has moved to another CPU in between (package forker's tests look at it).
func (c *call) whole(from, to *peer.Media) {
	c.st.t.Helper()
	sent := from.SentPackets()
	if len(sent) == 0 {
		return
	}
	all := to.Await("every packet of "+from.Party, func(all []peer.Packet) bool {
		return len(all) >= len(sent) && slices.ContainsFunc(all, func(p peer.Packet) bool { return p.Party == from.Party && p.Number == len(sent) })
	})
	next := 0
	for _, p := range slices.SortedStableFunc(slices.Values(all), func(a, b peer.Packet) int { return a.Number - b.Number }) {
		if p.Party != from.Party || p.Call != from.Call {
			c.st.t.Errorf("%s heard a packet of %s/%s from %s", to.Party, p.Call, p.Party, p.From)
			continue
		}
		if p.From.Addr().String() != systemIP {
			c.st.t.Errorf("%s heard %s from %s, past the relay", to.Party, p.Party, p.From)
		}
		for next < len(sent) && sent[next].Number < p.Number {
			c.st.t.Errorf("%s did not hear number %d of %s", to.Party, sent[next].Number, from.Party)
			next++
		}
		if next < len(sent) && !bytes.Equal(p.Raw, sent[next].Raw) {
			c.st.t.Errorf("number %d of %s changed on its way", p.Number, from.Party)
		}
		next++
	}
}

// or is the value, or the other where it is not set.
func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
