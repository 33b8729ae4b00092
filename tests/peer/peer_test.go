package peer_test

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sidetrack/tests/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The peers are themselves tested against each other: a call straight from one to the other, over both networks.
func TestCallFromPeerToPeer(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			ladder := peer.NewLadder(t)
			caller := peer.New(t, ladder, "caller", "127.0.40.1")
			callee := peer.New(t, ladder, "callee", "127.0.40.2")
			a := peer.NewMedia(t, "127.0.40.1", "c1", "caller")
			b := peer.NewMedia(t, "127.0.40.2", "c1", "callee")

			out := caller.Invite(callee.Addr(), peer.Call{
				Network: network, URI: "sip:bob@pbx.test", SDP: peer.BuildSDP(1, peer.Line{Media: a}),
			})
			in := callee.Expect("INVITE")
			in.Reply(100)
			in.Reply(180)
			in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: b})))
			out.Expect(100)
			out.Expect(180)
			ok := out.Expect(200)
			left, right := out.Dialog(ok), in.Dialog()
			left.Ack(ok)
			right.Expect("ACK")

			a.Talk(peer.ParseSDP(ok.SDP()).Media[0].Addr())
			b.Talk(peer.ParseSDP(in.SDP()).Media[0].Addr())
			for _, p := range b.AwaitFrom("caller", 0, 10) {
				if p.Call != "c1" || p.Number == 0 || p.From != a.Addr() {
					t.Errorf("packet %+v", p)
				}
			}
			a.AwaitFrom("callee", 0, 10)

			again := right.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: b, Direction: "sendonly"})))
			hold := left.Expect("INVITE")
			if got := peer.ParseSDP(hold.SDP()).Media[0].Direction; got != "sendonly" {
				t.Errorf("direction %q", got)
			}
			hold.Reply(200, peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: a, Direction: "recvonly"})))
			right.Ack(again.Expect(200))
			left.Expect("ACK")

			bye := right.Send("BYE")
			left.AnswerBye()
			bye.Expect(200)
			for _, p := range []*peer.Peer{caller, callee} {
				if rest := p.Unexpected(); len(rest) > 0 {
					t.Errorf("%s: left over %q", p.Name, rest)
				}
			}
		})
	}
}

func TestFailureIsAcknowledgedAndRepeatedAnswersAreNot(t *testing.T) {
	ladder := peer.NewLadder(t)
	caller := peer.New(t, ladder, "caller", "127.0.40.1", "udp")
	callee := peer.New(t, ladder, "callee", "127.0.40.2", "udp")
	out := caller.Invite(callee.Addr(), peer.Call{URI: "sip:bob@pbx.test"})
	in := callee.Expect("INVITE")
	in.Reply(486, peer.Phrase("Busy Indeed"))
	if got := out.ExpectFinal(); got.Status() != 486 || got.Reason() != "Busy Indeed" {
		t.Errorf("got %s", got.Start)
	}
	ack := in.ExpectOther("ACK")
	if ack.Branch() != in.Branch() {
		t.Errorf("ACK in branch %s, INVITE in %s", ack.Branch(), in.Branch())
	}
	out.Again() // the stored 486 comes again, and the stored ACK with it
	callee.AwaitTimes(ack.Message, 2)
	if n := callee.Times(in.Message); n != 2 {
		t.Errorf("INVITE came %d times", n)
	}
}

func TestMultipartIsSplitStrictly(t *testing.T) {
	contentType, body := peer.Mixed("b1",
		peer.BodyPart{Headers: []peer.Header{{Name: "Content-Type", Value: "application/sdp"}}, Body: []byte("v=0\r\n")},
		peer.BodyPart{Headers: []peer.Header{{Name: "Content-Type", Value: "application/rs-metadata+xml"}}, Body: []byte("<x/>")})
	m := &peer.Message{Headers: []peer.Header{{Name: "Content-Type", Value: contentType}}, Body: body}
	if got := string(m.Part("application/rs-metadata+xml")); got != "<x/>" {
		t.Errorf("metadata part %q", got)
	}
	if got := string(m.SDP()); got != "v=0\r\n" {
		t.Errorf("SDP part %q", got)
	}
	m.Body = []byte(strings.ReplaceAll(string(body), "\r\n", "\n"))
	if m.Parts() != nil {
		t.Error("bare line feeds were taken")
	}
}

func TestMetadataProblemsAreFound(t *testing.T) {
	const good = `<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>` +
		`<session session_id="AAAAAAAAAAAAAAAAAAAAAQ=="/>` +
		`<participant participant_id="AAAAAAAAAAAAAAAAAAAAAg=="><nameID aor="sip:a@x"/></participant>` +
		`<stream stream_id="AAAAAAAAAAAAAAAAAAAAAw==" session_id="AAAAAAAAAAAAAAAAAAAAAQ=="><label>1</label></stream>` +
		`<participantstreamassoc participant_id="AAAAAAAAAAAAAAAAAAAAAg=="><send>AAAAAAAAAAAAAAAAAAAAAw==</send>` +
		`<associate-time>%s</associate-time></participantstreamassoc></recording>`
	doc, problems := peer.ParseMetadata(fmt.Appendf(nil, good, "2026-01-02T03:04:05.678Z"))
	if len(problems) > 0 {
		t.Fatalf("a good document has problems %q", problems)
	}
	if doc.Sender("1") != "sip:a@x" || doc.Receiver("1") != "" {
		t.Errorf("sender %q, receiver %q", doc.Sender("1"), doc.Receiver("1"))
	}
	for _, bad := range []string{
		fmt.Sprintf(good, "2026-01-02T03:04:05+0300"),
		strings.Replace(fmt.Sprintf(good, "2026-01-02T03:04:05Z"), "<send>AAAAAAAAAAAAAAAAAAAAAw==", "<send>AAAAAAAAAAAAAAAAAAAABw==", 1),
		strings.Replace(fmt.Sprintf(good, "2026-01-02T03:04:05Z"), "recording:1", "recording", 1),
	} {
		if _, problems := peer.ParseMetadata([]byte(bad)); len(problems) == 0 {
			t.Errorf("nothing found wrong in %s", bad)
		}
	}
}
