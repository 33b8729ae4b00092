package scenario_test

import (
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// Keys of a recorder from the file to the wire: what each does in detail, the tests of the recording client hold.
func TestRecorderKeysReachTheWire(t *testing.T) {
	// knob runs a quiet call whose recording ends with the session that take returns.
	knob := func(name string, s setup, take func(t *testing.T, st *stage) *peer.Session) {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, s)
			c := st.establish(dialing{quiet: true})
			rs := take(t, st)
			c.hangUp()
			rs.End()
		})
	}
	first := func(_ *testing.T, st *stage) *peer.Session { return st.srss[0].Accept() }
	refuse := func(in *peer.Incoming, code int, opts ...peer.Opt) {
		in.Reply(code, opts...)
		in.ExpectOther("ACK")
	}

	knob("auth", setup{recorder: "    auth: {user: side, password: s3cret}\n"}, func(t *testing.T, st *stage) *peer.Session {
		refuse(st.srs().Expect("INVITE"), 401, peer.With("WWW-Authenticate", `Digest realm="srs", nonce="n1", algorithm=SHA-256, qop="auth"`))
		in := st.srs().Expect("INVITE")
		if got := in.Get("Authorization"); !strings.Contains(got, `username="side"`) || !strings.Contains(got, `nonce="n1"`) {
			t.Errorf("Authorization: %s", got)
		}
		return st.srs().AcceptInvite(in)
	})
	socket := "udp://" + freePort(t, home(9))
	knob("socket", setup{sockets: `"` + socket + `", `, srsNets: []string{"udp"}, recorder: "    socket: " + socket + "\n"}, func(t *testing.T, st *stage) *peer.Session {
		in := st.srs().Expect("INVITE")
		if got := "udp://" + in.From.String(); got != socket {
			t.Errorf("INVITE from %s, wanted %s", got, socket)
		}
		return st.srs().AcceptInvite(in)
	})
	knob("strategy and weights", setup{srs: 2, recorder: "    strategy: weighted\n    weights: [0, 1]\n"}, func(_ *testing.T, st *stage) *peer.Session {
		return st.srss[1].Accept()
	})
	knob("hedge", setup{srs: 2, recorder: "    hedge: 50ms\n"}, func(_ *testing.T, st *stage) *peer.Session {
		slow := st.srss[0].Expect("INVITE")
		slow.Reply(180)
		rs := st.srss[1].Accept()
		slow.ExpectOther("CANCEL").Reply(200)
		refuse(slow, 487)
		return rs
	})
	knob("follow_redirects", setup{srs: 2, recorder: "    follow_redirects: true\n"}, func(_ *testing.T, st *stage) *peer.Session {
		refuse(st.srss[0].Expect("INVITE"), 300, peer.With("Contact", "<"+st.srss[1].URI("")+">"))
		return st.srss[1].Accept()
	})
	knob("group_extension without group", setup{recorder: "    group_extension: '<x:id xmlns:x=\"urn:example:x\">17</x:id>'\n"}, func(t *testing.T, st *stage) *peer.Session {
		rs := first(t, st)
		if doc := string(rs.Doc().Raw); strings.Contains(doc, "<group") || strings.Contains(doc, "urn:example:x") {
			t.Errorf("the document:\n%s", doc)
		}
		return rs
	})
}

// An SRS is asked whether it is there, calls or not.
func TestRecorderIsProbed(t *testing.T) {
	st := newStage(t, setup{srsAsked: true, recorder: "    probe: {interval: 1s}\n"})
	in := st.srs().Expect("OPTIONS")
	in.Reply(200)
	st.srs().AutoReply("OPTIONS", 200)
}

// The address that media are advertised by is what both parties and the SRS are told.
func TestMediaAddressThatIsAdvertised(t *testing.T) {
	st := newStage(t, setup{mediaAdvertise: "203.0.113.9"})
	c := st.invite(dialing{quiet: true})
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	c.ok = c.out.Expect(200)
	c.left, c.right = c.out.Dialog(c.ok), c.in.Dialog()
	c.left.Ack(c.ok)
	c.ack = c.right.Expect("ACK")
	rs := st.srs().Accept()
	for who, body := range map[string]string{"callee": string(c.in.Body), "caller": string(c.ok.Body), "SRS": string(rs.Invite.Body)} {
		if !strings.Contains(body, "IN IP4 203.0.113.9\r\n") {
			t.Errorf("the %s is told\n%s", who, body)
		}
	}
	c.hangUp()
	rs.End()
}
