package scenario_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// Who the parties are, by what messages say of them, and by whose word (XML-20, XML-21).
func TestParties(t *testing.T) {
	for _, c := range []struct {
		name           string
		sip            string     // more keys of the sip section
		invite, answer []peer.Opt // headers
		uri, to        string
		caller, callee []string // the addresses in the metadata
		called         string   // name of the callee
		contains       string   // in the document
	}{
		{name: "nobody says anything", caller: []string{aliceAOR}, callee: []string{bobAOR}},
		{name: "two asserted addresses", invite: []peer.Opt{asserted(`"Alice" <sip:+15550100@caller.test;user=phone>, <tel:+15550100>`)},
			answer: []peer.Opt{asserted(`"B. Builder" <sip:bob@pbx.test>`), peer.Adding("P-Asserted-Identity", "<tel:+15550199>")},
			caller: []string{"sip:+15550100@caller.test;user=phone", "tel:+15550100"}, callee: []string{bobAOR, "tel:+15550199"}, called: "B. Builder"},
		{name: "Remote-Party-ID", invite: []peer.Opt{peer.With("Remote-Party-ID", `"A" <sip:100@caller.test>;party=calling;screen=yes`)},
			answer: []peer.Opt{peer.With("Remote-Party-ID", `<sip:200@pbx.test>;party=called`)},
			caller: []string{"sip:100@caller.test"}, callee: []string{"sip:200@pbx.test"}},
		{name: "Remote-Party-ID of the other", invite: []peer.Opt{peer.With("Remote-Party-ID", `<sip:100@caller.test>;party=called`)},
			caller: []string{aliceAOR}, callee: []string{bobAOR}},
		{name: "never believed", sip: "asserted_identity: never", invite: []peer.Opt{asserted("<sip:liar@caller.test>")},
			answer: []peer.Opt{asserted("<sip:liar@pbx.test>")}, caller: []string{aliceAOR}, callee: []string{bobAOR}},
		{name: "Diversion", uri: carolAOR, invite: []peer.Opt{peer.With("To", "<"+bobAOR+">"), peer.With("Diversion", "<"+bobAOR+">;reason=no-answer")},
			caller: []string{aliceAOR}, callee: []string{carolAOR}, contains: ">" + bobAOR + "</diverted-by>"},
		{name: "History-Info", uri: carolAOR, invite: []peer.Opt{peer.With("To", "<"+bobAOR+">"),
			peer.With("History-Info", "<"+bobAOR+"?Reason=SIP%3Bcause%3D302>;index=1, <"+carolAOR+">;index=1.1")},
			caller: []string{aliceAOR}, callee: []string{carolAOR}, contains: ">" + bobAOR + "</diverted-by>"},
		{name: "an encoded name", answer: []peer.Opt{asserted(`"=?UTF-8?Q?J=C3=BCrgen?=" <sip:bob@pbx.test>`)},
			caller: []string{aliceAOR}, callee: []string{bobAOR}, called: "Jürgen"},
		{name: "nonsense", invite: []peer.Opt{asserted(`"<sip:`), peer.With("Diversion", "<<>>;"), peer.With("Session-ID", "\x01;;remote")},
			caller: []string{aliceAOR}, callee: []string{bobAOR}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStage(t, setup{sip: c.sip})
			call := st.establish(dialing{quiet: true, uri: c.uri, opts: c.invite, answer: c.answer})
			rs := st.srs().Accept()
			doc := rs.Doc()
			if got := addresses(doc, "1"); !slices.Equal(got, c.caller) {
				t.Errorf("caller %q, want %q", got, c.caller)
			}
			if got := addresses(doc, "2"); !slices.Equal(got, c.callee) {
				t.Errorf("callee %q, want %q", got, c.callee)
			}
			if name := doc.Participants[1].Names[0].Name; name != c.called {
				t.Errorf("the callee is named %q, want %q", name, c.called)
			}
			if !strings.Contains(string(doc.Raw), c.contains) {
				t.Errorf("no %q in\n%s", c.contains, doc.Raw)
			}
			call.hangUp()
			rs.End()
		})
	}
}

// addresses is every address of who sends the stream of a label.
func addresses(doc *peer.Metadata, label string) (all []string) {
	for _, p := range doc.Participants {
		if p.Names[0].AOR == doc.Sender(label) {
			for _, n := range p.Names {
				all = append(all, n.AOR)
			}
		}
	}
	return all
}

// Of two phones that ring, each naming itself, the one that answers is the callee (B2B-26).
func TestWhoAnswersIsTheCallee(t *testing.T) {
	st := newStage(t, setup{})
	c := st.invite(dialing{quiet: true})
	c.in.Reply(183, peer.Tag("desk"), asserted("<sip:desk@pbx.test>"))
	c.out.Expect(183)
	c.in.Reply(183, peer.Tag("mobile"), asserted("<sip:mobile@pbx.test>"))
	c.out.Expect(183)
	c.in.Tag = "desk"
	c.in.Reply(200, peer.Tag("desk"), peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	c.accepted(dialing{quiet: true})
	rs := st.srs().Accept()
	if got := rs.Doc().Sender("2"); got != "sip:desk@pbx.test" {
		t.Errorf("the callee is %q", got)
	}
	c.hangUp()
	rs.End()
}

// Another From in mid-dialog (RFC 4916), by re-INVITE and UPDATE from either side: who was there leaves, who comes joins
// with new streams under the old labels, at a time of its own. A refused one changes nothing.
func TestConnectedIdentity(t *testing.T) {
	for _, method := range []string{"INVITE", "UPDATE"} {
		for _, fromCallee := range []bool{false, true} {
			t.Run(method+map[bool]string{false: " of the caller", true: " of the callee"}[fromCallee], func(t *testing.T) {
				st := newStage(t, setup{})
				c := st.establish(dialing{quiet: true})
				rs := st.srs().Accept()
				before := rs.Doc()
				here, there, label := c.left, c.right, "1"
				if fromCallee {
					here, there, label = c.right, c.left, "2"
				}
				ask := func(status int) {
					here.Local = strings.NewReplacer(aliceAOR, carolAOR, bobAOR, carolAOR).Replace(here.Local)
					opts := []peer.Opt{}
					if method == "INVITE" {
						media := map[bool]*peer.Media{false: c.a, true: c.b}[fromCallee]
						c.sdpVersion++
						opts = append(opts, peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: media})))
					}
					out := here.Send(method, opts...)
					in := there.Expect(method)
					if method == "INVITE" && status == 200 {
						media := map[bool]*peer.Media{false: c.b, true: c.a}[fromCallee]
						in.Reply(200, peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: media})))
						here.Ack(out.Expect(200))
						there.Expect("ACK")
						return
					}
					in.Reply(status)
					out.Expect(status)
					if method == "INVITE" {
						in.ExpectOther("ACK")
					}
				}
				was := here.Local
				ask(488)
				here.Local = was
				if in := rs.Dialog.Maybe("INVITE", 50*time.Millisecond); in != nil {
					t.Errorf("a refused change is told:\n%s", in.Raw)
				}
				ask(200)
				rs.Update()
				doc := rs.Doc()
				if got := doc.Sender(label); got != carolAOR {
					t.Errorf("label %s is sent by %q", label, got)
				}
				if len(doc.Participants) != 3 || len(doc.ParticipantS) != 3 {
					t.Fatalf("participants and stays:\n%s", doc.Raw)
				}
				left := 0
				for i, p := range doc.ParticipantS {
					if p.Left != "" {
						left++
						if joined := doc.ParticipantS[len(doc.ParticipantS)-1]; joined.Associated != p.Left {
							t.Errorf("stay %d ends at %s, the next begins at %s", i+1, p.Left, joined.Associated)
						}
					}
				}
				if left != 1 || doc.Sessions[0].ID != before.Sessions[0].ID {
					t.Errorf("%d have left; session %s, was %s", left, doc.Sessions[0].ID, before.Sessions[0].ID)
				}
				here.Local = was
				c.hangUp()
				rs.End()
			})
		}
	}
}

// Calls that carry one Session-ID half, or one Call-ID, are the same conversation seen twice: one group (RFC 7989).
func TestCallsOfOneConversationAreAGroup(t *testing.T) {
	for name, opt := range map[string]func(*call) peer.Opt{
		"Session-ID": func(*call) peer.Opt { return session(aliceSession, noSession) },
		"Call-ID":    func(c *call) peer.Opt { return peer.With("Call-ID", c.out.Sent.CallID()) },
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, setup{})
			first := st.establish(dialing{quiet: true, opts: []peer.Opt{session(aliceSession, noSession)}})
			rs1 := st.srs().Accept()
			if g := rs1.Doc().Sessions[0].GroupRef; g != "" {
				t.Errorf("alone, and in group %q", g)
			}
			second := st.establish(dialing{quiet: true, uri: carolAOR, opts: []peer.Opt{opt(first)}})
			rs1.Update()
			rs2 := st.srs().Accept()
			g1, g2 := rs1.Doc().Sessions[0].GroupRef, rs2.Doc().Sessions[0].GroupRef
			if g1 == "" || g1 != g2 || len(rs2.Doc().Groups) != 1 || rs2.Doc().Groups[0].ID != g1 {
				t.Errorf("groups %q and %q", g1, g2)
			}
			second.hangUp()
			rs2.End()
			first.hangUp()
			rs1.End()
		})
	}
}
