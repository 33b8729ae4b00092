package b2bua_test

import (
	"fmt"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// lostFlow is what a phone that has lost its connection is asked for in vain with: who has its Path may try another of its
// flows (RFC 5626 §5.3.1, §11.5).
var lostFlow = map[b2bua.RegisterMode]int{b2bua.RegisterPath: 430, b2bua.RegisterContact: 480}

// drops drops a phone's connection and awaits that the proxy knows.
func (p *phone) drops() {
	p.t.Helper()
	p.caller.DropConnections()
	if !peer.Eventually(func() bool { return p.transport.Connections() == 0 }) {
		p.t.Fatal("the proxy does not notice that the connection is closed")
	}
}

// The connection that a phone has registered by is closed: each request for it says so. When it has registered anew, it is
// reached again.
func TestLostFlow(t *testing.T) {
	for mode, status := range lostFlow {
		t.Run(string(mode), func(t *testing.T) {
			s := newStage(t, setup{register: mode})
			p := s.register("tcp")
			p.drops()
			for _, method := range []string{"INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS", "NOTIFY"} {
				to := p.reach()
				if method == "INVITE" {
					to.SDP = peer.BuildSDP(1)
				}
				if got := s.pbx.Start(method, s.proxy, to).ExpectFinal(); got.Status() != status || status == 430 && got.Reason() != "Flow Failed" {
					t.Errorf("%s: %s", method, got.Start)
				}
			}
			p.again()
			p.grant("600")
			p.ring().answer().hangUp()
			s.quiet()
		})
	}
}

// The connection closes while the phone has a request, before it has said anything and after: who asked hears of the flow, and
// not that we are out of service.
func TestFlowFailsUnderARequest(t *testing.T) {
	for mode, status := range lostFlow {
		for _, method := range []string{"INVITE", "MESSAGE"} {
			for _, rings := range []bool{false, true} {
				t.Run(fmt.Sprint(mode, method, rings), func(t *testing.T) {
					s := newStage(t, setup{register: mode})
					p := s.register("tcp")
					to := p.reach()
					if method == "INVITE" {
						to.SDP = peer.BuildSDP(1)
					}
					out := s.pbx.Start(method, s.proxy, to)
					in := s.caller.Expect(method)
					if rings && method == "INVITE" {
						in.Reply(180)
						out.Expect(180)
					}
					s.caller.DropConnections()
					if got := out.ExpectFinal(); got.Status() != status {
						t.Errorf("the PBX hears %s", got.Start)
					}
					s.quiet()
				})
			}
		}
	}
}

// Of the two flows of a phone one fails: the PBX, told so, has its call by the other one.
func TestTheOtherFlow(t *testing.T) {
	s := newStage(t, setup{register: b2bua.RegisterPath})
	by := func(network string, id int) peer.Opt {
		return peer.With("Contact", fmt.Sprintf(`%s;reg-id=%d;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"`, s.caller.Contact(network), id))
	}
	first, second := s.register("tcp", by("tcp", 1)), s.register("udp", by("udp", 2))
	if first.path == second.path {
		t.Fatalf("both have the Path %s", first.path)
	}
	first.ring().answer().hangUp()
	first.drops()
	to := first.reach()
	to.SDP = peer.BuildSDP(1)
	s.pbx.Invite(s.proxy, to).Expect(430)
	second.ring().answer().hangUp()
	s.quiet()
}
