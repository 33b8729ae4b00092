package b2bua_test

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidetrack/b2bua"
	"sidetrack/forker"
	"sidetrack/internal/sip/resolve"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a server between a caller and one or two PBXs, all on plain sockets.
type stage struct {
	t           *testing.T
	server      *b2bua.Server
	proxy       netip.AddrPort
	ladder      *peer.Ladder
	caller, pbx *peer.Peer
	second      *peer.Peer // the route's second target, where setup asks for one
	media       *forker.Engine
	transport   *transport.Layer
	layer       *txn.Layer

	faults atomic.Int32 // how often setup.fault was
	mu     sync.Mutex
	left   map[string]int // what the proxy sent, by method and CSeq
}

// setup says what is not the usual thing about a stage.
type setup struct {
	t1       time.Duration // 100 ms: 64 of them are a while for a machine that is busy
	identity b2bua.Identity
	hunting  bool                       // a second target
	routes   func(*stage) []string      // targets, instead of the PBXs
	policy   func(*stage) policy.Config // all routes, instead of one
	recorder b2bua.Recorder
	maxCalls int
	auth     *b2bua.Auth
	asserted b2bua.IdentitySource
	trusted  []netip.Prefix
	pbxAt    string        // 127.0.0.1
	silence  time.Duration // TargetTimeout; longer than anybody waits: a target that is rung beside another has its turn in the test when that one is done
	ports    int           // of media; 0: 1000
	media    time.Duration // RTP timeout
	udpOnly  bool          // the proxy listens on UDP only
	register b2bua.RegisterMode
	rates    txn.Rates
	rings    time.Duration // RingsEvery
	timerB   time.Duration // 64*t1 where that is set; else longer than anybody waits, as silence is nobody's fault on a busy machine
	timerC   time.Duration // 181 s
	session  int           // SessionExpires; its seconds last 10 ms here
	hosts    string        // what the hosts file says
	events   func(b2bua.Event)
	fault    string // a line of the log that the server does not survive
}

func newStage(t *testing.T, with setup) *stage {
	t.Helper()
	if with.t1 == 0 {
		with.t1, with.timerB = 100*time.Millisecond, cmp.Or(with.timerB, 2*peer.Patience)
	}
	if with.ports == 0 {
		with.ports = 1000
	}
	with.silence = cmp.Or(with.silence, 2*peer.Patience)
	ladder := peer.NewLadder(t)
	s := &stage{t: t, ladder: ladder, caller: peer.New(t, ladder, "caller", "127.0.0.1"), pbx: peer.New(t, ladder, "pbx", cmp.Or(with.pbxAt, "127.0.0.1"))}
	if with.hunting {
		s.second = peer.New(t, ladder, "second", "127.0.0.1", "udp")
	}
	log, hosts := slog.New(fault{slog.DiscardHandler, with.fault, &s.faults}), ""
	if with.hosts != "" {
		hosts = filepath.Join(t.TempDir(), "hosts")
		if err := os.WriteFile(hosts, []byte(with.hosts), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var layer *txn.Layer
	s.transport = transport.New(transport.Config{Log: log, Trace: s.note, OnMessage: func(in transport.Inbound) { layer.Receive(in) }})
	layer = txn.New(txn.Config{Log: log, T1: with.t1, TimerB: with.timerB, TimerC: with.timerC, Transport: s.transport, Rates: with.rates, Resolver: resolve.New(resolve.Config{Log: log, Hosts: hosts})})
	engine, err := forker.New(forker.Config{
		Listen: netip.MustParseAddr("127.0.0.1"), Advertise: netip.MustParseAddr("127.0.0.1"),
		PortMin: 28000, PortMax: 28000 + with.ports - 1, Drain: 10 * time.Millisecond, Timeout: with.media, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.media = engine
	var rules atomic.Pointer[policy.Engine]
	s.server = b2bua.NewServer(b2bua.Config{
		Transport: s.transport, Txn: layer, Media: engine, Policy: rules.Load, Log: log,
		Door: b2bua.Door{Auth: with.auth, Networks: with.trusted}, Identity: with.identity, Recorder: with.recorder, Asserted: with.asserted, MaxCalls: with.maxCalls, TargetTimeout: with.silence,
		RingsEvery: with.rings, SessionExpires: with.session, SessionSecond: 10 * time.Millisecond,
		OnEvent: with.events, Register: with.register, Secret: []byte("the same after a restart"),
	})
	s.layer = layer
	layer.Start(s.server)
	s.listen("udp://127.0.0.1:0", with.udpOnly)
	rules.Store(policy.New(s.rules(with)))
	t.Cleanup(func() {
		if !peer.Eventually(func() bool { return s.server.Active() == 0 && engine.Ports().Used == 0 }) {
			t.Errorf("left over: %d calls, %d ports", s.server.Active(), engine.Ports().Used)
		}
		if left := s.server.Leftovers(); left != "" {
			t.Errorf("left over in the registry: %s", left)
		}
		s.transport.Close()
		layer.Close()
		engine.Close()
	})
	return s
}

// note counts the requests that the proxy sends, by their CSeq.
func (s *stage) note(_ transport.Flow, received bool, raw []byte) {
	if received || bytes.HasPrefix(raw, []byte("SIP/2.0")) {
		return
	}
	_, cseq, _ := strings.Cut(string(raw), "CSeq: ")
	cseq, _, _ = strings.Cut(cseq, "\r\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == nil {
		s.left = map[string]int{}
	}
	s.left[cseq]++
}

// awaitSent waits until the proxy has sent so many copies of so many requests of a method.
func (s *stage) awaitSent(method string, requests, copies int) {
	s.t.Helper()
	if !peer.Eventually(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		n := 0
		for cseq, times := range s.left {
			if strings.HasSuffix(cseq, " "+method) && times >= copies {
				n++
			}
		}
		return n >= requests
	}) {
		s.t.Fatalf("sent: %v, wanted %d copies of %d %ss", s.left, copies, requests, method)
	}
}

// listen binds UDP and, on the same port, TCP.
func (s *stage) listen(url string, udpOnly bool) {
	s.t.Helper()
	for range 50 {
		l, err := s.transport.Bind(url, "127.0.0.1")
		if err != nil {
			s.t.Fatal(err)
		}
		s.proxy = l.Bound
		both := []*transport.Listener{l}
		if !udpOnly {
			tcp, err := s.transport.Bind("tcp://"+l.Bound.String(), "127.0.0.1")
			if err != nil {
				l.Abandon()
				continue
			}
			both = append(both, tcp)
		}
		s.transport.Replace(both)
		s.ladder.Name(s.proxy, "proxy")
		return
	}
	s.t.Fatal("no port is free for both UDP and TCP")
}

func (s *stage) rules(with setup) policy.Config {
	if with.policy != nil {
		return with.policy(s)
	}
	targets := []string{s.pbx.URI("")}
	if s.second != nil {
		targets = append(targets, s.second.URI(""))
	}
	if with.routes != nil {
		targets = with.routes(s)
	}
	return policy.Config{Routes: []policy.Route{{Name: "pbx", Targets: policy.Targets(targets...)}}}
}

const bob = "sip:bob@example.test"

// call is a call on the stage.
type call struct {
	st          *stage
	a, b        *peer.Media
	out         *peer.Outgoing // the INVITE at the caller
	in          *peer.Incoming // and at the PBX
	left, right *peer.Dialog
}

// invite sends the caller's INVITE, with an offer, and takes it at the PBX.
func (s *stage) invite(opts ...peer.Opt) *call {
	s.t.Helper()
	c := s.send(opts...)
	c.in = s.pbx.Expect("INVITE")
	return c
}

// send sends the caller's INVITE.
func (s *stage) send(opts ...peer.Opt) *call {
	c := &call{st: s, a: peer.NewMedia(s.t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(s.t, "127.0.0.1", "c", "callee")}
	c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob, SDP: c.sdpA(1), Opts: opts})
	return c
}

func (c *call) sdpA(version int, extra ...string) []byte {
	return peer.BuildSDP(version, peer.Line{Media: c.a, Extra: extra})
}

func (c *call) sdpB(version int, extra ...string) []byte {
	return peer.BuildSDP(version, peer.Line{Media: c.b, Extra: extra})
}

// answer has the PBX take the call, and the caller acknowledge.
func (c *call) answer(opts ...peer.Opt) *call {
	c.st.t.Helper()
	c.in.Reply(200, append([]peer.Opt{peer.WithSDP(c.sdpB(1))}, opts...)...)
	ok := c.out.ExpectFinal()
	if ok.Status() != 200 {
		c.st.t.Fatalf("the caller got %s", ok.Start)
	}
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	return c
}

func (s *stage) establish(opts ...peer.Opt) *call {
	s.t.Helper()
	return s.invite(opts...).answer()
}

// hangUp ends the call from the caller.
func (c *call) hangUp() {
	c.st.t.Helper()
	bye := c.left.Send("BYE")
	c.right.AnswerBye()
	bye.Expect(200)
}

// only fails when the server shows other than n calls.
func (s *stage) only(n int) []b2bua.View {
	s.t.Helper()
	views, err := s.server.Calls(context.Background())
	if err != nil || len(views) != n {
		s.t.Fatalf("calls: %+v, %v", views, err)
	}
	return views
}

// quiet fails when somebody got a message that the test did not expect.
func (s *stage) quiet() {
	s.t.Helper()
	for _, p := range []*peer.Peer{s.caller, s.pbx, s.second} {
		if p == nil {
			continue
		}
		for _, line := range p.Unexpected() {
			if line != "SIP/2.0 100 Trying" {
				s.t.Errorf("%s got %s unexpectedly", p.Name, line)
			}
		}
	}
}
