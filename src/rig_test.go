package src_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"os"
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
	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

const (
	ourHost = "127.0.0.1"
	srsHost = "127.0.0.7"
)

// closedHost is where nobody listens, of this process alone.
var closedHost = netip.AddrFrom4([4]byte{127, 89, byte(os.Getpid() >> 8), byte(os.Getpid())})

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
	round    time.Duration // before the SRSs are asked again
	ports    int
	t1       time.Duration // of SIP

	further      []src.Recorder // others that the rule may name
	maxStreams   int
	decide       func(context.Context, *policy.Ask, src.Question) (src.Answer, error)
	tls          *tls.Config // of our connections; nil: none
	secondSocket bool        // the recorder's socket is one on 127.0.0.9
}

var nextPorts atomic.Int32

// mediaHost is where our media leave from: an address for each process, so that two of them do not take each other's
// ports.
var mediaHost = netip.AddrFrom4([4]byte{127, 88, byte(os.Getpid() >> 8), byte(os.Getpid())})

// newRig makes a client whose recorder tries these SRSs.
func newRig(t *testing.T, srs []string, opts ...func(*setup)) *rig {
	t.Helper()
	s := setup{
		rule:     policy.Rule{Name: "all", Recorder: "main"},
		recorder: src.Recorder{Name: "main", SRS: srs, Timeout: 30 * time.Second},
		backoff:  50 * time.Millisecond,
		round:    time.Second,
		ports:    32,
		t1:       500 * time.Millisecond,
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
	layer, tr := r.stack(log, &s)
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
	client.SetRound(s.round)
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
func (r *rig) stack(log *slog.Logger, s *setup) (*txn.Layer, *transport.Layer) {
	r.t.Helper()
	var layer *txn.Layer
	tr := transport.New(transport.Config{Log: log, TLS: s.tls, OnMessage: func(in transport.Inbound) { layer.Receive(in) }})
	layer = txn.New(txn.Config{
		Log: log, Lanes: 2, T1: s.t1, Transport: tr,
		Resolver: resolve.New(resolve.Config{Servers: []string{"127.0.0.1:1"}, Timeout: 300 * time.Millisecond}),
	})
	layer.Start(stranger{})
	for _, url := range []string{"udp://127.0.0.1:0", "tcp://127.0.0.1:0"} {
		if _, err := tr.Listen(url, ""); err != nil {
			r.t.Fatal(err)
		}
	}
	low := 24000 + (int(nextPorts.Add(int32(s.ports)))-s.ports)%2560 // below what the kernel gives to others
	media, err := forker.New(forker.Config{
		Listen: mediaHost, PortMin: low, PortMax: low + s.ports - 1, Drain: 20 * time.Millisecond, Log: log,
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

// hasTold waits until these are the events, in this order.
func (r *rig) hasTold(kinds string) {
	r.t.Helper()
	if !peer.Eventually(func() bool { return r.kinds() == kinds }) {
		r.t.Errorf("events %q, wanted %q", r.kinds(), kinds)
	}
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

// brisk repeats and gives up ten times as fast as RFC 3261 has it: for those who never answer.
func brisk(s *setup) { s.t1 = 50 * time.Millisecond }

func timeout(d time.Duration) func(*setup) { return func(s *setup) { s.recorder.Timeout = d } }
