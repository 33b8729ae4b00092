package b2bua_test

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// dispatcher is a PBX that is a stateless proxy (RFC 3261 §16.11): what does not name its route goes on by it, INVITEs
// for bob as ones for carol; what comes back is passed by Via. It changes no Call-ID and no tag.
type dispatcher struct {
	t       *testing.T
	conn    *net.UDPConn
	at      netip.AddrPort
	records bool           // it stays in the path of dialogs
	out     netip.AddrPort // of the proxy
	reader  sync.WaitGroup
}

func newDispatcher(t *testing.T, records bool) *dispatcher {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	d := &dispatcher{t: t, conn: conn, at: conn.LocalAddr().(*net.UDPAddr).AddrPort(), records: records}
	t.Cleanup(func() {
		conn.Close()
		d.reader.Wait()
	})
	return d
}

// serve passes what comes from now on, calls to that proxy.
func (d *dispatcher) serve(out netip.AddrPort) {
	d.out = out
	d.reader.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := d.conn.Read(buf)
			if err != nil {
				return
			}
			if m, err := peer.Parse(slices.Clone(buf[:n])); err == nil {
				d.pass(m)
			}
		}
	})
}

func (d *dispatcher) pass(m *peer.Message) {
	if !m.Request() {
		vias := m.All("Via")[1:]
		d.replace(m, "Via", vias)
		_, sentBy, _ := strings.Cut(vias[0], " ")
		sentBy, _, _ = strings.Cut(sentBy, ";")
		d.send(m, sentBy)
		return
	}
	routes := m.All("Route")
	if len(routes) > 0 && strings.Contains(routes[0], d.at.String()) {
		routes = routes[1:]
	}
	d.replace(m, "Route", routes)
	to := m.URI()
	if to == bob || m.ToTag() == "" {
		m.Start = strings.Replace(m.Start, "sip:bob@", "sip:carol@", 1)
		to = "sip:" + d.out.String()
		if m.Method() == "INVITE" && d.records {
			m.Headers = append([]peer.Header{{Name: "Record-Route", Value: "<sip:" + d.at.String() + ";lr>"}}, m.Headers...)
		}
	}
	m.Headers = append([]peer.Header{{Name: "Via", Value: "SIP/2.0/UDP " + d.at.String() + ";branch=" + m.Branch() + "x"}}, m.Headers...)
	_, host, _ := strings.Cut(to, "@")
	if host == "" {
		_, host, _ = strings.Cut(to, ":")
	}
	host, _, _ = strings.Cut(host, ";")
	d.send(m, host)
}

func (d *dispatcher) replace(m *peer.Message, name string, values []string) {
	peer.Without(name)(m)
	for _, v := range slices.Backward(values) {
		m.Headers = append([]peer.Header{{Name: name, Value: v}}, m.Headers...)
	}
}

func (d *dispatcher) send(m *peer.Message, to string) {
	at, err := netip.ParseAddrPort(to)
	if err != nil {
		d.t.Errorf("the PBX cannot send %q to %s: %v", m.Start, to, err)
		return
	}
	peer.Without("Content-Length")(m)
	_, _ = d.conn.WriteToUDPAddrPort(m.Bytes(), at)
}

// twice is a stage on which each call passes the proxy twice: caller, proxy, PBX, proxy, carol, who is s.pbx here.
func twice(t *testing.T, records bool, with setup) *stage {
	t.Helper()
	d := newDispatcher(t, records)
	with.policy = func(s *stage) policy.Config {
		return policy.Config{Routes: []policy.Route{
			{Name: "phone", Match: policy.Match{RequestURI: regexp.MustCompile("^sip:carol@")}, Targets: policy.Targets(s.pbx.URI(""))},
			{Name: "pbx", Targets: policy.Targets("sip:" + d.at.String())},
		}}
	}
	s := newStage(t, with)
	s.ladder.Name(d.at, "PBX")
	d.serve(s.proxy)
	return s
}

// Both passes of a dialog have its Call-ID and its tags. What its parties send comes to the other one, and ends both calls,
// also from a phone that sends it to another URI of ours than that in our Contact.
func TestBothPassesOfADialog(t *testing.T) {
	for _, records := range []bool{true, false} {
		for _, ignores := range []string{"nobody", "caller", "callee", "both"} {
			for _, ends := range []string{"caller", "callee"} {
				name := map[bool]string{true: "recorded", false: "unrecorded"}[records] + " route, ignored by " + ignores + ", ended by " + ends
				t.Run(name, func(t *testing.T) {
					s := twice(t, records, setup{})
					c := s.invite(peer.With("Supported", "100rel"))
					c.in.Reply(180)
					c.out.Expect(180)
					c.answer()
					s.only(2)
					if ignores == "caller" || ignores == "both" {
						c.left.Target = "sip:bob@" + s.proxy.String()
					}
					if ignores == "callee" || ignores == "both" {
						c.right.Target, c.right.Routes = "sip:alice@"+s.proxy.String(), nil
					}
					for range 2 { // twice, for what one message has changed counts for the next
						for _, d := range [][2]*peer.Dialog{{c.left, c.right}, {c.right, c.left}} {
							c.hold(d[0], d[1])
							for _, method := range []string{"INFO", "UPDATE"} {
								out := d[0].Send(method)
								d[1].Expect(method).Reply(200)
								out.Expect(200)
							}
						}
					}
					first, last := c.left, c.right
					if ends == "callee" {
						first, last = last, first
					}
					bye := first.Send("BYE")
					last.AnswerBye()
					bye.Expect(200)
					s.quiet()
				})
			}
		}
	}
}

// hold is a re-INVITE of one party, whole.
func (c *call) hold(from, to *peer.Dialog) {
	c.st.t.Helper()
	offer, answer := c.sdpA(2, "a=sendonly"), c.sdpB(2, "a=recvonly")
	if from == c.right {
		offer, answer = answer, offer
	}
	out := from.Send("INVITE", peer.WithSDP(offer))
	to.Expect("INVITE").Reply(200, peer.WithSDP(answer))
	from.Ack(out.Expect(200))
	to.Expect("ACK")
}

// A phone that is transferred by one call and goes to the other party of another one, whose Contact it was told, comes to
// that party, also where a PBX that stays out of dialogs has sent both calls back to us.
func TestTransferWithinTwoPasses(t *testing.T) {
	for _, records := range []bool{true, false} {
		t.Run(map[bool]string{true: "recorded route", false: "unrecorded route"}[records], func(t *testing.T) {
			s := twice(t, records, setup{})
			c := s.invite().answer()
			refer := c.left.Send("REFER", peer.With("Refer-To", "<"+c.left.Target+"?Replaces=x>"))
			in := c.right.Expect("REFER")
			in.Reply(202)
			refer.Expect(202)
			notify := c.right.Send("NOTIFY", peer.With("Event", "refer"), peer.With("Subscription-State", "terminated;reason=noresource"), peer.WithBody("message/sipfrag", []byte("SIP/2.0 200 OK\r\n")))
			c.left.Expect("NOTIFY").Reply(200)
			notify.Expect(200)
			for who, to := range map[*peer.Peer]string{s.caller: c.left.Target, s.pbx: c.right.Target} {
				out := who.Invite(s.proxy, peer.Call{URI: to, SDP: c.sdpA(1)})
				at := s.pbx
				if who == s.pbx {
					at = s.caller
				}
				in := at.Expect("INVITE")
				if in.URI() != peer.URIOf(at.Contact("udp")) {
					t.Errorf("it came as %q", in.Raw)
				}
				in.Reply(486)
				in.ExpectOther("ACK")
				out.Expect(486)
			}
			c.hangUp()
			s.quiet()
		})
	}
}

// CANCEL, PRACK and an early UPDATE go through both passes.
func TestEarlyDialogInTwoPasses(t *testing.T) {
	s := twice(t, true, setup{})
	c := s.invite(peer.With("Supported", "100rel"))
	c.in.Reply(183, peer.With("RSeq", "7"), peer.With("Require", "100rel"), peer.WithSDP(c.sdpB(1)))
	early := c.out.Expect(183)
	left := c.out.Dialog(early)
	number, _ := c.out.Sent.CSeq()
	for range 2 { // to our Contact, and to another URI of ours
		prack := left.Send("PRACK", peer.With("RAck", "7 "+strconv.Itoa(int(number))+" INVITE"))
		s.pbx.Expect("PRACK").Reply(200)
		prack.Expect(200)
		update := left.Send("UPDATE")
		s.pbx.Expect("UPDATE").Reply(200)
		update.Expect(200)
		left.Target = "sip:bob@" + s.proxy.String()
	}
	cancel := c.out.Cancel()
	s.pbx.Expect("CANCEL").Reply(200)
	cancel.Expect(200)
	c.in.Reply(487)
	c.in.ExpectOther("ACK")
	c.out.Expect(487)
	s.quiet()
}
