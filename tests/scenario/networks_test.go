package scenario_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// An IPv4 caller and an IPv6 callee, recorded from a network of its own: signalling and media cross, and each is told
// addresses and ports of his own network.
func TestCallBetweenIPv4AndIPv6(t *testing.T) {
	ladder := peer.NewLadder(t)
	caller, callee := peer.New(t, ladder, "caller", callerIP), peer.New(t, ladder, "callee", "::1")
	srs := peer.NewRecorder(t, ladder, "srs", srsIP, "udp")
	_, port, err := net.SplitHostPort(freePort(t, systemIP))
	if err != nil {
		t.Fatal(err)
	}
	sys := Start(t, ladder, fmt.Sprintf(`
sip:
  listen: ["udp://[::1]:%[2]s", "udp://%[1]s:%[2]s"]
  trusted: [127.0.0.0/8, "::1/128"]
routes:
  - to: "%[3]s"
    network: six
media:
  listen: %[1]s
  ports: 22000-22999
  networks:
    six: {listen: "::1", ports: 23000-23099, dscp: ef}
    records: {listen: %[4]s, ports: 23100-23199}
recorders:
  main: {srs: "%[5]s", network: records}
recording:
  - recorder: main
http: {listen: "%[6]s"}
`, systemIP, port, callee.URI(""), apiIP, srs.URI(""), freePort(t, systemIP)))
	a, b := peer.NewMedia(t, callerIP, "call", "alice"), peer.NewMedia(t, "::1", "call", "bob")
	out := caller.Invite(sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: peer.BuildSDP(1, peer.Line{Media: a})})
	in := callee.Expect("INVITE")
	offered := peer.ParseSDP(in.SDP()).Media[0].Addr()
	if !offered.Addr().Is6() || offered.Port() < 23000 || offered.Port() > 23099 || !strings.Contains(string(in.SDP()), "IN IP6 ::1") {
		t.Errorf("the callee is offered\n%s", in.SDP())
	}
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: b})))
	ok := out.Expect(200)
	answered := peer.ParseSDP(ok.SDP()).Media[0].Addr()
	if answered.Addr().String() != systemIP || answered.Port() < 22000 || answered.Port() > 22999 {
		t.Errorf("the caller is answered\n%s", ok.SDP())
	}
	left, right := out.Dialog(ok), in.Dialog()
	left.Ack(ok)
	right.Expect("ACK")
	rs := srs.Accept()
	if from := rs.Offer().Media[0].Addr(); from.Addr().String() != apiIP || from.Port() < 23100 || from.Port() > 23199 {
		t.Errorf("the SRS is told %v", from)
	}
	a.Talk(answered)
	b.Talk(offered)
	a.AwaitFrom("bob", 0, 20)
	b.AwaitFrom("alice", 0, 20)
	for _, label := range []string{"1", "2"} {
		for _, p := range rs.Streams[label].AwaitFrom(map[string]string{"1": "alice", "2": "bob"}[label], 0, 10) {
			if p.From.Addr().String() != apiIP {
				t.Fatalf("a copy from %v", p.From)
			}
		}
	}
	bye := right.Send("BYE")
	left.AnswerBye()
	bye.Expect(200)
	a.Quiet()
	b.Quiet()
	rs.End()
}
