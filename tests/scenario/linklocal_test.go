package scenario_test

import (
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// Media that are wanted at a link-local address cannot be sent: which link that is, SDP does not tell; and none are sent
// to many hosts at once. Who offers or answers so hears it, with the m-line; nobody is left in a call that is silent.
func TestMediaThatCannotBeSentAreRefused(t *testing.T) {
	for address, kind := range map[string]string{
		"IP6 fe80::1": "link-local", "IP6 fe80::1%eth0": "link-local", "IP4 239.1.2.3/127": "multicast", "IP6 ff15::5": "multicast",
	} {
		wants := func(sdp []byte) peer.Opt {
			return peer.WithSDP([]byte(strings.Replace(string(sdp), "\r\nt=0 0", "\r\nc=IN "+address+"\r\nt=0 0", 1)))
		}
		replaced := func(sdp []byte) []byte {
			head, rest, _ := strings.Cut(string(sdp), "\r\nc=IN IP4 ")
			_, rest, _ = strings.Cut(rest, "\r\n")
			return []byte(head + "\r\n" + rest)
		}
		t.Run("offer "+address, func(t *testing.T) {
			st := newStage(t, setup{srs: -1, noPolicy: true})
			c := st.newCall(dialing{})
			c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", Opts: []peer.Opt{wants(replaced(peer.BuildSDP(1, peer.Line{Media: c.a})))}})
			if no := c.out.Expect(488); !strings.Contains(no.Get("Warning"), "m-line 1: media cannot be sent to a "+kind+" address") {
				t.Errorf("Warning %q", no.Get("Warning"))
			}
		})
		t.Run("answer "+address, func(t *testing.T) {
			st := newStage(t, setup{srs: -1, noPolicy: true})
			c := st.invite(dialing{})
			c.in.Reply(200, wants(replaced(peer.BuildSDP(1, peer.Line{Media: c.b}))))
			c.out.Expect(488)
			c.right = c.in.Dialog()
			c.right.Expect("ACK")
			c.right.AnswerBye()
		})
	}
}
