package b2bua_test

import (
	"fmt"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/metadata"
	"sidetrack/tests/peer"
)

// says is the n-th description of a party; the packet time tells which it is.
func (c *call) says(caller bool, n int) []byte {
	if caller {
		return c.sdpA(n, fmt.Sprintf("ptime:%d", 10*n))
	}
	return c.sdpB(n, fmt.Sprintf("ptime:%d", 10*n))
}

// are tells whether a recorder was told that the n-th descriptions are in force.
func are(n int) func(metadata.Snapshot) bool {
	ptime := fmt.Sprint(10 * n)
	return func(cs metadata.Snapshot) bool {
		return len(cs.Streams) == 1 && cs.Streams[0].Caller.Ptime == ptime && cs.Streams[0].Callee.Ptime == ptime
	}
}

// talk fails unless the parties hear each other where each was told to send.
func (c *call) talk(toldA, toldB []byte) {
	c.st.t.Helper()
	if a, b := peer.ParseSDP(toldA).Media[0].Addr(), peer.ParseSDP(toldB).Media[0].Addr(); a == c.b.Addr() || b == c.a.Addr() {
		c.st.t.Errorf("not anchored: the caller is told %s, the callee %s", a, b)
	}
	hears(c.st.t, c.b, c.a, toldA)
	hears(c.st.t, c.a, c.b, toldB)
}

// Offers and answers before a final response, in all places that RFC 6337 §2.2 has for them, of a call and of a re-INVITE by
// either party: media flow at once, the recorder is told, and what the 2xx repeats of an older description undoes nothing
// (RFC 3261 §13.2.1).
func TestOffersBeforeTheAnswer(t *testing.T) {
	const inResponse, inPrack, second, byAsker, byAsked = "answer in 183", "answer in PRACK", "offer in PRACK", "UPDATE of who asks", "UPDATE of who is asked"
	for i, asks := range []string{"INVITE", "re-INVITE of the caller", "re-INVITE of the callee"} {
		for j, way := range []string{inResponse, inPrack, second, byAsker, byAsked} {
			for k, repeats := range []bool{false, true} {
				identity := []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite}[(i+j+k)%2]
				t.Run(fmt.Sprint(asks, ", ", way, ", ", repeats, " ", identity), func(t *testing.T) {
					r := newRecorder(false)
					s := newStage(t, setup{identity: identity, recorder: r})
					caller, rel := asks != "re-INVITE of the callee", peer.With("Supported", "100rel")
					c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
					offer := peer.WithSDP(c.says(caller, 2))
					if way == inPrack {
						offer = peer.WithSDP(nil)
					}
					var here, there *peer.Dialog // who asks, and who is asked
					var out *peer.Outgoing
					var in *peer.Incoming
					if asks == "INVITE" {
						out = s.caller.Invite(s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{rel, offer}})
						in = s.pbx.Expect("INVITE")
					} else {
						c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob, SDP: c.says(true, 1)})
						c.in = s.pbx.Expect("INVITE")
						c.answer()
						here, there = c.left, c.right
						if !caller {
							here, there = there, here
						}
						out = here.Send("INVITE", rel, offer)
						in = there.Expect("INVITE")
					}
					in.Reply(183, peer.With("Require", "100rel"), peer.With("RSeq", "4711"), peer.WithSDP(c.says(!caller, 2)))
					rung := out.Expect(183)
					if asks == "INVITE" {
						here, there = out.Dialog(rung), in.Dialog()
						c.left, c.right = here, there
					}
					toldHere, toldThere := rung.SDP(), in.SDP()
					var ask, reply []byte // of the PRACK and its 200
					n := 2
					switch way {
					case inPrack:
						ask = c.says(caller, 2)
					case second:
						n, ask, reply = 3, c.says(caller, 3), c.says(!caller, 3)
					}
					prack := here.Send("PRACK", peer.With("RAck", rung.Get("RSeq")+" "+out.Sent.Get("CSeq")), peer.WithSDP(ask))
					asked := there.Expect("PRACK")
					asked.Reply(200, peer.WithSDP(reply))
					ok := prack.Expect(200)
					if ask != nil {
						toldThere = asked.SDP()
					}
					if reply != nil {
						toldHere = ok.SDP()
					}
					switch way {
					case byAsker:
						n = 3
						update := here.Send("UPDATE", peer.WithSDP(c.says(caller, 3)))
						asked = there.Expect("UPDATE")
						asked.Reply(200, peer.WithSDP(c.says(!caller, 3)))
						toldHere, toldThere = update.Expect(200).SDP(), asked.SDP()
					case byAsked:
						n = 3
						update := there.Send("UPDATE", peer.WithSDP(c.says(!caller, 3)))
						asked = here.Expect("UPDATE")
						asked.Reply(200, peer.WithSDP(c.says(caller, 3)))
						toldHere, toldThere = asked.SDP(), update.Expect(200).SDP()
					}
					talk := func() {
						if caller {
							c.talk(toldHere, toldThere)
						} else {
							c.talk(toldThere, toldHere)
						}
					}
					talk()
					for cs := range r.updates {
						if are(n)(cs) {
							break
						}
					}
					var again []byte
					if repeats {
						again = c.says(!caller, 2)
					}
					in.Reply(200, peer.WithSDP(again))
					final := out.Expect(200)
					here.Last = out
					here.Ack(final)
					if ack := there.Expect("ACK"); len(ack.Body) > 0 {
						t.Errorf("ACK came as\n%s", ack.Raw)
					}
					talk()
					update := here.Send("UPDATE", peer.WithSDP(c.says(caller, 4))) // nothing is open any more
					there.Expect("UPDATE").Reply(200, peer.WithSDP(c.says(!caller, 4)))
					update.Expect(200)
					c.hangUp()
					told := false // of anything but the n-th after these
					for end := false; !end; {
						select {
						case cs := <-r.updates:
							told = told || !are(n)(cs) && !are(4)(cs)
						case cs := <-r.ended:
							told = told || !are(4)(cs)
							end = len(r.updates) == 0
							if !end {
								r.ended <- cs
							}
						}
					}
					if told {
						t.Error("the recorder was told of descriptions that are not in force")
					}
					s.quiet()
				})
			}
		}
	}
}
