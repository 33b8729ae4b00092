package scenario_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

const v6 = "::1"

// families is a system with SIP sockets of both families by UDP and TCP, and media of both unless only IPv4 is asked for.
// No network is named anywhere: the addresses of the parties decide.
type families struct {
	t      *testing.T
	sys    *System
	ladder *peer.Ladder
	port   string
}

func newFamilies(t *testing.T, both bool, route string) *families {
	t.Helper()
	f := &families{t: t, ladder: peer.NewLadder(t)}
	_, f.port, _ = net.SplitHostPort(freePort(t, systemIP))
	networks := ""
	if both {
		networks = `networks: {six: {listen: "::1", ports: 23000-23099}}`
	}
	f.sys = Start(t, f.ladder, fmt.Sprintf(`
sip:
  listen: ["udp://%[1]s:%[2]s", "tcp://%[1]s:%[2]s", "udp://[::1]:%[2]s", "tcp://[::1]:%[2]s"]
  trusted: [127.0.0.0/8, "::1/128"]
routes:
  - %[3]s
media: {listen: %[1]s, ports: 22000-22999, %[4]s}
http: {listen: "%[5]s"}
recording: [{recorder: none}]
`, systemIP, f.port, route, networks, freePort(t, systemIP)))
	return f
}

// at is the SIP socket of a family.
func (f *families) at(ip string) netip.AddrPort {
	host := systemIP
	if strings.Contains(ip, ":") {
		host = v6
	}
	return netip.MustParseAddrPort(net.JoinHostPort(host, f.port))
}

// told fails where a description does not name our address of the reader's family.
func (f *families) told(reader string, sdp []byte) netip.AddrPort {
	f.t.Helper()
	got := peer.ParseSDP(sdp).Media[0].Addr()
	if got.Addr() != f.at(reader).Addr() {
		f.t.Errorf("who is at %s is told\n%s", reader, sdp)
	}
	return got
}

// Between IPv4 and IPv6, each way, by UDP and by TCP, each party is told an address that it can send to, and hears the other.
func TestFamiliesOfTheParties(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		for _, ips := range [][2]string{{callerIP, v6}, {v6, calleeIP}, {v6, v6}} {
			t.Run(fmt.Sprint(network, " ", ips), func(t *testing.T) {
				ladder := peer.NewLadder(t)
				callee := peer.New(t, ladder, "callee", ips[1])
				f := newFamilies(t, true, fmt.Sprintf(`to: "%s"`, callee.URI(";transport="+network)))
				caller := peer.New(t, f.ladder, "caller", ips[0])
				a, b := peer.NewMedia(t, ips[0], "call", "alice"), peer.NewMedia(t, ips[1], "call", "bob")
				out := caller.Invite(f.at(ips[0]), peer.Call{Network: network, URI: bobAOR, SDP: peer.BuildSDP(1, peer.Line{Media: a})})
				in := callee.Expect("INVITE")
				toA := f.told(ips[1], in.SDP())
				in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: b})))
				ok := out.Expect(200)
				toB := f.told(ips[0], ok.SDP())
				left, right := out.Dialog(ok), in.Dialog()
				left.Ack(ok)
				right.Expect("ACK")
				a.Talk(toB)
				b.Talk(toA)
				a.AwaitFrom("bob", 0, 5)
				b.AwaitFrom("alice", 0, 5)
				bye := right.Send("BYE")
				left.AnswerBye()
				bye.Expect(200)
				a.Quiet()
				b.Quiet()
			})
		}
	}
}

// A target of the other family than the one before it has an offer of its own family, and ports for it alone.
func TestFamilyOfTheNextTarget(t *testing.T) {
	ladder := peer.NewLadder(t)
	first, second := peer.New(t, ladder, "first", calleeIP), peer.New(t, ladder, "second", v6)
	f := newFamilies(t, true, fmt.Sprintf(`to: ["%s", "%s"]`, first.URI(""), second.URI("")))
	caller := peer.New(t, f.ladder, "caller", callerIP)
	a, b := peer.NewMedia(t, callerIP, "call", "alice"), peer.NewMedia(t, v6, "call", "bob")
	out := caller.Invite(f.at(callerIP), peer.Call{URI: bobAOR, SDP: peer.BuildSDP(1, peer.Line{Media: a})})
	in := first.Expect("INVITE")
	f.told(calleeIP, in.SDP())
	in.Reply(183, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: peer.NewMedia(t, calleeIP, "call", "early")})))
	early := out.Expect(183)
	a.Talk(f.told(callerIP, early.SDP()))
	in.Reply(503)
	in.ExpectOther("ACK")
	in = second.Expect("INVITE")
	toA := f.told(v6, in.SDP())
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: b})))
	ok := out.Expect(200)
	left, right := out.Dialog(ok), in.Dialog()
	left.Ack(ok)
	right.Expect("ACK")
	b.Talk(toA)
	a.AwaitFrom("bob", 0, 5)
	b.AwaitFrom("alice", 0, 5)
	if used := f.sys.app.MediaPorts().Used; used != 4 {
		t.Errorf("%d ports are in use, want 4", used)
	}
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
	a.Quiet()
	b.Quiet()
}

// Media of a family that there is no address for are refused, offered or answered; nobody is left in a silent call. One of
// several m-lines, as a phone with both families offers them (RFC 4091), is only switched off.
func TestFamilyWithoutMedia(t *testing.T) {
	start := func(t *testing.T) (*families, *peer.Peer, *peer.Peer) {
		ladder := peer.NewLadder(t)
		callee := peer.New(t, ladder, "callee", calleeIP)
		f := newFamilies(t, false, fmt.Sprintf(`to: "%s"`, callee.URI("")))
		return f, peer.New(t, f.ladder, "caller", callerIP), callee
	}
	six := func(t *testing.T) []byte {
		return peer.BuildSDP(1, peer.Line{Media: peer.NewMedia(t, v6, "call", "six")})
	}
	t.Run("offer", func(t *testing.T) {
		f, caller, _ := start(t)
		out := caller.Invite(f.at(callerIP), peer.Call{URI: bobAOR, SDP: six(t)})
		if no := out.Expect(488); !strings.HasPrefix(no.Get("Warning"), "301 ") || !strings.Contains(no.Get("Warning"), "address family") {
			t.Errorf("Warning %q", no.Get("Warning"))
		}
	})
	t.Run("answer", func(t *testing.T) {
		f, caller, callee := start(t)
		out := caller.Invite(f.at(callerIP), peer.Call{URI: bobAOR, SDP: peer.BuildSDP(1, peer.Line{Media: peer.NewMedia(t, callerIP, "call", "alice")})})
		in := callee.Expect("INVITE")
		in.Reply(200, peer.WithSDP(six(t)))
		out.Expect(488)
		right := in.Dialog()
		right.Expect("ACK")
		right.AnswerBye()
	})
	t.Run("one of two", func(t *testing.T) {
		f, caller, callee := start(t)
		a := peer.NewMedia(t, callerIP, "call", "alice")
		offer := string(peer.BuildSDP(1, peer.Line{Media: a})) + "m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::9\r\n"
		out := caller.Invite(f.at(callerIP), peer.Call{URI: bobAOR, SDP: []byte(offer)})
		in := callee.Expect("INVITE")
		if got := peer.ParseSDP(in.SDP()).Media; len(got) != 2 || got[0].Port == 0 || got[1].Port != 0 {
			t.Errorf("offered\n%s", in.SDP())
		}
		in.Reply(486)
		in.ExpectOther("ACK")
		out.Expect(486)
	})
}

// Of targets that ring together those of another family than the first are left out, since all have one offer.
func TestFamiliesThatRingTogether(t *testing.T) {
	ladder := peer.NewLadder(t)
	first, second := peer.New(t, ladder, "first", calleeIP), peer.New(t, ladder, "second", v6)
	f := newFamilies(t, true, fmt.Sprintf("{to: [\"%s\", \"%s\"], mode: parallel}", first.URI(""), second.URI("")))
	caller := peer.New(t, f.ladder, "caller", callerIP)
	out := caller.Invite(f.at(callerIP), peer.Call{URI: bobAOR, SDP: peer.BuildSDP(1, peer.Line{Media: peer.NewMedia(t, callerIP, "call", "alice")})})
	in := first.Expect("INVITE")
	f.told(calleeIP, in.SDP())
	in.Reply(486)
	in.ExpectOther("ACK")
	out.Expect(486)
	if got := second.Unexpected(); len(got) > 0 {
		t.Errorf("the other target got %v", got)
	}
}
