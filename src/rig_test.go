package src_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/forker"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/resolve"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

const (
	ourHost = "127.0.0.1"
	srsHost = "127.0.0.7"
)

// rig is a client with a real SIP stack and a real media plane. The recorders
// it meets are scripts on plain sockets that share no code with it.
type rig struct {
	t        *testing.T
	client   *src.Client
	media    *forker.Engine
	registry *prometheus.Registry
	log      *logs

	mu       sync.Mutex
	events   []src.Event
	verdicts []src.Verdict
}

// logs is a buffer for several goroutines.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// setup is what a test may want otherwise.
type setup struct {
	rule     policy.Rule
	recorder src.Recorder
	backoff  time.Duration
	ports    int

	further      []src.Recorder // others that the rule may name
	maxStreams   int
	decide       func(context.Context, *policy.Ask, src.Question) (src.Answer, error)
	tls          *tls.Config // of our connections; nil: none
	secondSocket bool        // the recorder's socket is one on 127.0.0.9
}

var nextPorts atomic.Int32

// newRig makes a client whose recorder tries these SRSs.
func newRig(t *testing.T, srs []string, opts ...func(*setup)) *rig {
	t.Helper()
	s := setup{
		rule:     policy.Rule{Name: "all", Recorder: "main"},
		recorder: src.Recorder{Name: "main", SRS: srs, Timeout: 2 * time.Second},
		backoff:  50 * time.Millisecond,
		ports:    32,
	}
	for _, opt := range opts {
		opt(&s)
	}
	r := &rig{t: t, registry: prometheus.NewRegistry(), log: &logs{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	layer, tr := r.stack(log, s.ports, s.tls)
	if s.secondSocket {
		l, err := tr.Listen("tcp://127.0.0.9:0", "")
		if err != nil {
			t.Fatal(err)
		}
		s.recorder.Socket = l.URL
		for i, uri := range s.recorder.SRS {
			s.recorder.SRS[i] = uri + ";transport=tcp"
		}
	}
	rules := policy.New(policy.Config{Rules: []policy.Rule{s.rule}})
	client, err := src.New(src.Config{
		Recorders: append([]src.Recorder{s.recorder}, s.further...), Policy: func() *policy.Engine { return rules }, Layer: layer, Transport: tr,
		Advertise: netip.MustParseAddr(ourHost), UserAgent: "sidetrack/test", Log: log, Registerer: r.registry,
		OnEvent: r.onEvent, OnVerdict: r.onVerdict, Decide: s.decide, MaxStreams: s.maxStreams,
	})
	if err != nil {
		t.Fatal(err)
	}
	client.SetBackoff(s.backoff)
	r.client = client
	t.Cleanup(r.close)
	return r
}

func (r *rig) close() {
	ctx, cancel := context.WithTimeout(context.Background(), peer.Patience)
	defer cancel()
	if err := r.client.Close(ctx); err != nil {
		r.t.Errorf("closing the client: %v", err)
	}
}

// stack makes the SIP layers and the media plane; they are closed after the client.
func (r *rig) stack(log *slog.Logger, ports int, own *tls.Config) (*txn.Layer, *transport.Layer) {
	r.t.Helper()
	var layer *txn.Layer
	tr := transport.New(transport.Config{Log: log, TLS: own, OnMessage: func(in transport.Inbound) { layer.Receive(in) }})
	layer = txn.New(txn.Config{
		Log: log, Lanes: 2, T1: 50 * time.Millisecond, Transport: tr,
		Resolver: resolve.New(resolve.Config{Servers: []string{"127.0.0.1:1"}, Timeout: 300 * time.Millisecond}),
	})
	layer.Start(stranger{})
	for _, url := range []string{"udp://127.0.0.1:0", "tcp://127.0.0.1:0"} {
		if _, err := tr.Listen(url, ""); err != nil {
			r.t.Fatal(err)
		}
	}
	low := 24000 + (int(nextPorts.Add(int32(ports)))-ports)%2560 // below what the kernel gives to others
	media, err := forker.New(forker.Config{
		Listen: netip.MustParseAddr(ourHost), PortMin: low, PortMax: low + ports - 1, Drain: 20 * time.Millisecond, Log: log,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.media = media
	r.t.Cleanup(func() {
		tr.Close()
		layer.Close()
		media.Close()
	})
	return layer, tr
}

// stranger refuses what belongs to no dialog.
type stranger struct{}

func (stranger) OnRequest(tx *txn.ServerTx)                    { tx.Reply(481, "") }
func (stranger) OnAck(*txn.Lane, *sip.Message, transport.Flow) {}
func (stranger) OnCancel(tx *txn.ServerTx, _ *sip.Message)     { tx.Reply(487, "") }

func (r *rig) onEvent(e src.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *rig) onVerdict(v src.Verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verdicts = append(r.verdicts, v)
}

// story is what has been told of a recording, in order.
func (r *rig) story(id string) (all []src.Verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.verdicts {
		if v.View.ID == id {
			all = append(all, v)
		}
	}
	return all
}

// kinds is the types of the events so far.
func (r *rig) kinds() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, e := range r.events {
		all = append(all, strings.TrimPrefix(e.Type, "recording."))
	}
	return strings.Join(all, " ")
}

// call is a communication session with two talking parties.
type call struct {
	r              *rig
	cs             metadata.Snapshot
	relay          *forker.Relay
	caller, callee *peer.Media

	hushed bool // by quiet

	mu     sync.Mutex
	states []string // as notified
}

var pcmu = metadata.Format{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}
var events = metadata.Format{PT: 101, Name: "telephone-event", Clock: 8000, Channels: 1, Fmtp: "0-15"}

var nextCall atomic.Int32

// newCall makes a call in the state answered, with one audio m-line of PCMU.
func (r *rig) newCall() *call {
	r.t.Helper()
	id := fmt.Sprintf("call%d", nextCall.Add(1))
	c := &call{
		r: r, relay: r.media.Open(),
		caller: peer.NewMedia(r.t, "127.0.0.2", id, "caller"), callee: peer.NewMedia(r.t, "127.0.0.3", id, "callee"),
	}
	if err := c.relay.SetStreams(1); err != nil {
		r.t.Fatal(err)
	}
	c.relay.SetRemote(forker.SideA, 0, forker.Remote{RTP: c.caller.Addr(), Sends: true, RTPKind: true})
	c.relay.SetRemote(forker.SideB, 0, forker.Remote{RTP: c.callee.Addr(), Sends: true, RTPKind: true})
	now := time.Now()
	flow := metadata.Flow{Formats: []metadata.Format{pcmu, events}, Sends: true, Ptime: "20"}
	c.cs = metadata.Snapshot{
		ID: id, SIPCallID: id + "@pbx.test", State: metadata.CallAnswered, Started: now.Add(-time.Second), Answered: now,
		Caller:  metadata.Party{AOR: "sip:alice@pbx.test", Name: `Alice "A" & Söhne <x>`},
		Callee:  metadata.Party{AOR: "sip:bob@pbx.test", Name: "Bob"},
		Streams: []metadata.MediaStream{{Kind: "audio", Caller: flow, Callee: flow}},
	}
	r.t.Cleanup(c.relay.Close)
	return c
}

func (c *call) begin(headers ...policy.Header) (required bool) {
	in := &policy.Invite{
		Method: "INVITE", CallID: c.cs.SIPCallID, From: policy.Address{URI: c.cs.Caller.AOR, User: "alice"},
		To:      policy.Address{URI: c.cs.Callee.AOR, User: "bob"},
		Headers: append([]policy.Header{{Name: "X-Queue", Value: "sales"}}, headers...),
	}
	return c.r.client.Begin(c.cs, in, c.relay, func(state metadata.RecordingState, reason string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.states = append(c.states, string(state))
	})
}

func (c *call) notified() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.states, " ")
}

// change alters the call and tells the client.
func (c *call) change(alter func(*metadata.Snapshot)) {
	cs := c.cs
	cs.Streams = append([]metadata.MediaStream(nil), cs.Streams...)
	alter(&cs)
	c.cs = cs
	c.r.client.Update(cs)
}

// hold puts the call on hold by the callee, or takes it back.
func (c *call) hold(on bool) {
	c.change(func(cs *metadata.Snapshot) { cs.Streams[0].Caller.Sends = !on })
}

func (c *call) end() {
	c.cs.State, c.cs.Ended = metadata.CallEnded, time.Now()
	c.r.client.End(c.cs)
	c.relay.Close()
}

// talk has both parties talk.
func (c *call) talk() {
	a, _ := c.relay.Local(forker.SideA, 0)
	b, _ := c.relay.Local(forker.SideB, 0)
	c.caller.Talk(a)
	c.callee.Talk(b)
}

// view is the newest recording of the call.
func (c *call) view() src.View {
	var found src.View
	for _, v := range c.r.client.Recordings() {
		if v.CallID == c.cs.ID {
			found = v
		}
	}
	return found
}

// await waits until the recording of the call is in a state.
func (c *call) await(state metadata.RecordingState) src.View {
	c.r.t.Helper()
	if !peer.Eventually(func() bool { return c.view().State == state }) {
		c.r.t.Fatalf("recording is %q (%s), wanted %q", c.view().State, c.view().Reason, state)
	}
	return c.view()
}

// ended waits for the end and checks its result.
func (c *call) ended(result src.Result) src.View {
	c.r.t.Helper()
	v := c.await(metadata.StateEnded)
	if v.Result != result {
		c.r.t.Fatalf("recording ended %q (%s), wanted %q", v.Result, v.Reason, result)
	}
	return v
}

// newSRS opens a scripted recorder. It is there before the client, whose
// configuration names it.
func newSRS(t *testing.T, name string, networks ...string) *peer.Recorder {
	t.Helper()
	return peer.NewRecorder(t, peer.NewLadder(t), name, srsHost, networks...)
}

func required(s *setup)   { s.rule.Required = true }
func stays(s *setup)      { s.recorder.MidCall = src.MidCallStop }
func forgets(s *setup)    { s.recorder.Replay = -1 }
func early(s *setup)      { s.rule.Start = policy.StartEarly }
func ignoreHold(s *setup) { s.rule.OnHold = policy.OnHoldIgnore }
func skip(codes string) func(*setup) {
	return func(s *setup) { s.recorder.SkipFailoverCodes = regexp.MustCompile(codes) }
}
func timeout(d time.Duration) func(*setup) { return func(s *setup) { s.recorder.Timeout = d } }

// hears checks that each label carries its party: packets sent from now on.
func hears(t *testing.T, c *call, s *peer.Session) {
	t.Helper()
	for label, party := range map[string]*peer.Media{"1": c.caller, "2": c.callee} {
		stream := s.Streams[label]
		if stream == nil {
			continue
		}
		from := party.Sent()
		got := stream.AwaitFrom(party.Party, from, 5)
		for _, p := range got {
			if p.Party != party.Party {
				t.Fatalf("label %s carries %s", label, p.Party)
			}
		}
	}
}
