package b2bua_test

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// ringing is a stage whose two targets are rung together, and a call that both have got.
func ringing(t *testing.T, identity b2bua.Identity, with func(*policy.Route)) (*stage, *call, [2]*peer.Incoming) {
	s := newStage(t, setup{hunting: true, identity: identity, policy: func(s *stage) policy.Config {
		r := policy.Route{Name: "both", Parallel: true, Targets: policy.Targets(s.pbx.URI(""), s.second.URI(""))}
		if with != nil {
			with(&r)
		}
		return policy.Config{Routes: []policy.Route{r}}
	}})
	c := s.send()
	return s, c, [2]*peer.Incoming{s.pbx.Expect("INVITE"), s.second.Expect("INVITE")}
}

// The first that answers has the call, the other is told that it was answered elsewhere; requests go to the one.
func TestParallelFirstAnswerWins(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		for winner := range 2 {
			s, c, in := ringing(t, identity, nil)
			for _, i := range in {
				i.Reply(180)
				c.out.Expect(180)
			}
			c.in = in[winner]
			c.answer()
			other := in[1-winner]
			cancel := other.ExpectOther("CANCEL")
			if !strings.Contains(cancel.Get("Reason"), "elsewhere") {
				t.Errorf("CANCEL came with Reason %q", cancel.Get("Reason"))
			}
			cancel.Reply(200)
			other.Reply(487)
			other.ExpectOther("ACK")
			out := c.left.Send("INFO")
			c.right.Expect("INFO").Reply(200)
			out.Expect(200)
			c.hangUp()
			s.quiet()
		}
	}
}

// Both answer at once: the second is acknowledged and hung up.
func TestParallelBothAnswer(t *testing.T) {
	s, c, in := ringing(t, b2bua.IdentityPreserve, nil)
	c.in = in[0]
	c.answer()
	in[1].Reply(200, peer.WithSDP(c.sdpB(1)))
	lost := in[1].Dialog()
	lost.Expect("ACK")
	lost.AnswerBye()
	c.hangUp()
	s.quiet()
}

// One says no, the other rings on and answers; when all say no the caller gets the best answer, and 603 is everybody's.
func TestParallelFailures(t *testing.T) {
	s, c, in := ringing(t, b2bua.IdentityPreserve, nil)
	in[0].Reply(486)
	in[0].ExpectOther("ACK")
	c.in = in[1]
	c.answer().hangUp()
	s.quiet()

	s, c, in = ringing(t, b2bua.IdentityPreserve, nil)
	for i, status := range []int{503, 404} {
		in[i].Reply(status)
		in[i].ExpectOther("ACK")
	}
	c.out.Expect(404)
	s.quiet()

	s, c, in = ringing(t, b2bua.IdentityPreserve, nil)
	in[0].Reply(180)
	c.out.Expect(180)
	in[1].Reply(603)
	in[1].ExpectOther("ACK")
	c.out.Expect(603)
	in[0].ExpectOther("CANCEL").Reply(200)
	in[0].Reply(487)
	in[0].ExpectOther("ACK")
	s.quiet()
}

// cancelled has all who ring hear that nobody wants them any more.
func cancelled(in []*peer.Incoming) {
	for _, i := range in {
		i.ExpectOther("CANCEL").Reply(200)
		i.Reply(487)
		i.ExpectOther("ACK")
	}
}

// The caller gives up: all are cancelled.
func TestParallelCancel(t *testing.T) {
	s, c, in := ringing(t, b2bua.IdentityPreserve, nil)
	for _, i := range in {
		i.Reply(180)
		c.out.Expect(180)
	}
	c.out.Cancel().Expect(200)
	c.out.Expect(487)
	cancelled(in[:])
	s.quiet()
}

// Targets that cannot be reached do not end the search; when none can, it ends.
func TestParallelUnreachable(t *testing.T) {
	s, c, in := ringing(t, b2bua.IdentityPreserve, func(r *policy.Route) {
		r.Targets = append(policy.Targets("sip:nowhere.invalid:5060", "sips:127.0.0.1:1"), r.Targets...)
	})
	c.in = in[1]
	c.answer()
	in[0].Reply(180)
	in[0].ExpectOther("CANCEL").Reply(200)
	in[0].Reply(487)
	in[0].ExpectOther("ACK")
	c.hangUp()
	s.quiet()
	s = newStage(t, setup{policy: func(*stage) policy.Config {
		return policy.Config{Routes: []policy.Route{{Name: "no", Parallel: true, Targets: policy.Targets("sip:nowhere.invalid:5060", "sip:nobody.invalid:5060")}}}
	}})
	s.send().out.Expect(503)
	s.quiet()
}

// A redirection of one adds its Contact to those who are rung.
func TestParallelRedirect(t *testing.T) {
	s, c, in := ringing(t, b2bua.IdentityPreserve, func(r *policy.Route) { r.FollowRedirects = true })
	in[0].Reply(302, peer.With("Contact", "<sip:carol@"+s.pbx.Addr().String()+">"))
	in[0].ExpectOther("ACK")
	c.in = s.pbx.ExpectWhere("the INVITE for carol", func(m *peer.Message) bool { return strings.HasPrefix(m.URI(), "sip:carol@") })
	c.answer()
	in[1].Reply(180)
	in[1].ExpectOther("CANCEL").Reply(200)
	in[1].Reply(487)
	in[1].ExpectOther("ACK")
	c.hangUp()
	s.quiet()
}

// Each target has its own numbers: a challenge of one, or a redirection, changes nothing of what another is acknowledged
// with, in PRACK and ACK. The peers compare them.
func TestParallelNumbers(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		for _, redirected := range []bool{false, true} {
			s, c, in := ringing(t, identity, func(r *policy.Route) {
				r.FollowRedirects, r.Targets[0].Auth = true, &policy.Credentials{User: "acme", Password: "s3cret"}
			})
			in[0].Reply(407, peer.With("Proxy-Authenticate", trunk))
			in[0].ExpectOther("ACK")
			in[0] = s.pbx.ExpectWhere("the INVITE with credentials", func(m *peer.Message) bool {
				return m.Method() == "INVITE" && m.Get("Proxy-Authorization") != ""
			})
			c.in = in[1]
			if redirected { // the other one is asked once more, with the number of the first time
				in[1].Reply(302, peer.With("Contact", "<sip:carol@"+s.second.Addr().String()+">"))
				in[1].ExpectOther("ACK")
				s.second.ExpectWhere("the INVITE for carol", func(m *peer.Message) bool { return strings.HasPrefix(m.URI(), "sip:carol@") }).Reply(486)
				s.second.Expect("ACK")
				c.in = in[0]
			}
			c.in.Reply(180, peer.With("Require", "100rel"), peer.With("RSeq", "4711"))
			rung := c.out.Expect(180)
			prack := c.out.Dialog(rung).Send("PRACK", peer.With("RAck", rung.Get("RSeq")+" 101 INVITE"))
			c.in.ExpectOther("PRACK").Reply(200)
			prack.Expect(200)
			c.answer()
			if !redirected {
				in[0].Reply(180)
				in[0].ExpectOther("CANCEL").Reply(200)
				in[0].Reply(487)
				in[0].ExpectOther("ACK")
			}
			c.left.CSeq++ // the PRACK had a number
			c.hangUp()
			s.quiet()
		}
	}
}

// A target whose first address says nothing is asked at its next one after a while, and the next calls ask that one only.
func TestParallelSilentAddress(t *testing.T) {
	s := newStage(t, setup{hunting: true, timerB: 1500 * time.Millisecond, silence: time.Second, hosts: "127.0.0.3 two.test\n127.0.0.1 two.test\n",
		policy: func(s *stage) policy.Config {
			return policy.Config{Routes: []policy.Route{{Name: "both", Parallel: true, Targets: policy.Targets("sip:two.test:"+portOf(s.pbx), s.second.URI(""))}}}
		}})
	silent, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 3), Port: int(s.pbx.Addr().Port())})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	asked := map[string]bool{} // calls that the silent one was asked for
	for range 2 {
		c := s.send()
		loser := s.second.Expect("INVITE")
		loser.Reply(180)
		c.out.Expect(180)
		c.in = s.pbx.Expect("INVITE")
		c.answer()
		loser.ExpectOther("CANCEL").Reply(200)
		loser.Reply(487)
		loser.ExpectOther("ACK")
		c.hangUp()
		s.quiet()
		_ = silent.SetReadDeadline(time.Now().Add(time.Millisecond)) // what came before the PBX was asked
		for buf := make([]byte, 65536); ; {
			n, err := silent.Read(buf)
			if err != nil {
				break
			}
			if m, err := peer.Parse(buf[:n]); err == nil {
				asked[m.CallID()] = true
			}
		}
	}
	if len(asked) != 1 {
		t.Errorf("the silent address was asked for %d calls", len(asked))
	}
}

// The route's codes have the next address of a target asked, as where targets are asked in turn.
func TestParallelFailoverCodes(t *testing.T) {
	s := newStage(t, setup{hunting: true, hosts: "127.0.0.3 two.test\n127.0.0.1 two.test\n", policy: func(s *stage) policy.Config {
		return policy.Config{Routes: []policy.Route{{Name: "both", Parallel: true, FailoverCodes: regexp.MustCompile("^486"),
			Targets: policy.Targets("sip:two.test:"+portOf(s.pbx), s.second.URI(""))}}}
	}})
	busy, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 3), Port: int(s.pbx.Addr().Port())})
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	c := s.send()
	buf := make([]byte, 65536)
	n, from, err := busy.ReadFromUDP(buf)
	if err != nil {
		t.Fatal(err)
	}
	m, err := peer.Parse(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(connected{busy, from}, "SIP/2.0 486 Busy Here\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=busy\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
		m.Get("Via"), m.Get("From"), m.Get("To"), m.CallID(), m.Get("CSeq"))
	c.in = s.pbx.Expect("INVITE")
	other := s.second.Expect("INVITE")
	other.Reply(486)
	other.ExpectOther("ACK")
	c.answer().hangUp()
	s.quiet()
}

// connected writes to one address.
type connected struct {
	*net.UDPConn
	to *net.UDPAddr
}

func (c connected) Write(b []byte) (int, error) { return c.WriteToUDP(b, c.to) }

// Ten are rung together; whom one of them redirects to would be the eleventh and is not.
func TestParallelTen(t *testing.T) {
	s := newStage(t, setup{policy: func(s *stage) policy.Config {
		var targets []string
		for i := range 10 {
			targets = append(targets, fmt.Sprintf("sip:u%d@%s", i, s.pbx.Addr()))
		}
		return policy.Config{Routes: []policy.Route{{Name: "ten", Parallel: true, FollowRedirects: true, Targets: policy.Targets(targets...)}}}
	}})
	c := s.send()
	rung := map[string]*peer.Incoming{}
	for range 10 {
		in := s.pbx.Expect("INVITE")
		rung[in.URI()] = in
		in.Reply(180)
		c.out.Expect(180)
	}
	if len(rung) != 10 {
		t.Errorf("%d targets were rung", len(rung))
	}
	first := true
	for _, in := range rung {
		if first {
			in.Reply(302, peer.With("Contact", "<sip:carol@"+s.pbx.Addr().String()+">"))
		} else {
			in.Reply(486)
		}
		first = false
		in.ExpectOther("ACK")
	}
	if got := c.out.ExpectFinal(); got.Status() != 486 {
		t.Errorf("the caller got %s", got.Start)
	}
	s.quiet()
}
