package b2bua_test

import (
	"context"
	"log/slog"
	"net/netip"
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

// stage is a server between a caller and a PBX, all on plain sockets.
type stage struct {
	server      *b2bua.Server
	proxy       netip.AddrPort
	caller, pbx *peer.Peer
	media       *forker.Engine
}

func newStage(t *testing.T, change func(*b2bua.Config)) *stage {
	t.Helper()
	ladder := peer.NewLadder(t)
	s := &stage{caller: peer.New(t, ladder, "caller", "127.0.0.1", "udp"), pbx: peer.New(t, ladder, "pbx", "127.0.0.1", "udp")}
	log := slog.New(slog.DiscardHandler)
	var layer *txn.Layer
	tp := transport.New(transport.Config{Log: log, OnMessage: func(in transport.Inbound) { layer.Receive(in) }})
	layer = txn.New(txn.Config{Log: log, T1: 50 * time.Millisecond, Transport: tp, Resolver: resolve.New(resolve.Config{Log: log})})
	engine, err := forker.New(forker.Config{
		Listen: netip.MustParseAddr("127.0.0.1"), Advertise: netip.MustParseAddr("127.0.0.1"),
		PortMin: 38000, PortMax: 38999, Drain: 10 * time.Millisecond, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.media = engine
	rules := policy.New(policy.Config{Routes: []policy.Route{{Name: "pbx", Targets: []string{s.pbx.URI("")}}}})
	cfg := b2bua.Config{Transport: tp, Txn: layer, Media: engine, Policy: func() *policy.Engine { return rules }, Log: log}
	if change != nil {
		change(&cfg)
	}
	s.server = b2bua.NewServer(cfg)
	layer.Start(s.server)
	l, err := tp.Listen("udp://127.0.0.1:0", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s.proxy = l.Bound
	t.Cleanup(func() {
		if !peer.Eventually(func() bool { return s.server.Active() == 0 && engine.Ports().Used == 0 }) {
			t.Errorf("left over: %d calls, %d ports", s.server.Active(), engine.Ports().Used)
		}
		tp.Close()
		layer.Close()
		engine.Close()
	})
	return s
}

func TestCallIsRelayedAndEnded(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		t.Run(string(identity), func(t *testing.T) {
			s := newStage(t, func(c *b2bua.Config) { c.Identity = identity })
			a, b := peer.NewMedia(t, "127.0.0.1", "c", "caller"), peer.NewMedia(t, "127.0.0.1", "c", "callee")
			invite := s.caller.Invite(s.proxy, peer.Call{URI: "sip:bob@example.test", SDP: peer.BuildSDP(1, peer.Line{Media: a})})
			in := s.pbx.Expect("INVITE")
			in.Reply(180)
			invite.Expect(180)
			in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: b})))
			ok := invite.Expect(200)
			d := invite.Dialog(ok)
			d.Ack(ok)
			s.pbx.Expect("ACK")
			if views, err := s.server.Calls(context.Background()); err != nil || len(views) != 1 || views[0].State != b2bua.StateAnswered {
				t.Fatalf("calls: %+v, %v", views, err)
			}
			if same := in.Get("Call-ID") == invite.Sent.Get("Call-ID"); same != (identity == b2bua.IdentityPreserve) {
				t.Errorf("Call-ID the same on both legs: %v", same)
			}
			d.Bye()
			s.pbx.Expect("BYE").Reply(200)
		})
	}
}
