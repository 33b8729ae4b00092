package b2bua

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// nowhere is a transport of which nothing is asked.
type nowhere struct{ txn.Transport }

func (nowhere) Watch(transport.Events) {}

func (nowhere) Pick(string, netip.Addr) *transport.Listener { return nil }

// linked is a call as its links see it.
func linked(lane *txn.Lane, n int, callID, session, to, from string) *Call {
	invite := sip.NewRequest("INVITE", "sip:"+to+"@pbx.test;transport=udp")
	invite.Add("Session-ID", session)
	c := &Call{id: fmt.Sprint("call ", n), lane: lane, invite: invite,
		in: &policy.Invite{Headers: []policy.Header{{Name: "Session-ID", Value: session}}, To: policy.Address{URI: "sip:" + to + "@pbx.test"}, From: policy.Address{URI: "sip:" + from + "@pbx.test"}}}
	c.legs[sideA].callID = callID
	c.who.party[sideA].AOR, c.who.party[sideB].AOR = "sip:"+from+"@pbx.test", "sip:"+to+"@pbx.test"
	return c
}

func refers(to string) *sip.Message {
	m := sip.NewRequest("REFER", "sip:x@pbx.test")
	m.Add("Refer-To", "<sip:"+to+"@pbx.test;transport=udp>")
	return m
}

// A Call-ID or a half of a Session-ID that every call of a PBX has says nothing: it neither makes them one group of the
// metadata nor has each new call look at all the others.
func TestLinksOfWhatAllShare(t *testing.T) {
	lane := txn.New(txn.Config{Transport: nowhere{}, Lanes: 1}).Lanes()[0]
	l := newLinks()
	var calls []*Call
	for n := range 10 * maxKin {
		calls = append(calls, linked(lane, n, "the same", "0123456789abcdef0123456789abcdef", "bob", "alice"))
		l.enter(calls[n])
	}
	if l.group(calls[0]).Name == "" || l.group(calls[0]) != l.group(calls[1]) {
		t.Error("the first two are no group")
	}
	if g := l.group(calls[len(calls)-1]); g.Name != "" {
		t.Errorf("the last one is in group %v", g)
	}
	if n := len(l.kin(calls[0], "0123456789abcdef0123456789abcdef")); n > 2*maxKin {
		t.Errorf("%d calls are looked at", n)
	}
	for _, c := range calls {
		l.leave(c)
	}
	if n := l.held(); n != 0 {
		t.Errorf("%d things are left", n)
	}
}

// What a call follows from is found by whom it is for, however many REFERs there were in the last minute; the latest
// counts, and the oldest of too many are forgotten.
func TestLinksOfManyReferrals(t *testing.T) {
	now := time.Now()
	lane := txn.New(txn.Config{Transport: nowhere{}, Lanes: 1, Now: func() time.Time { return now }}).Lanes()[0]
	l := newLinks()
	cost := func(c *Call) float64 { return testing.AllocsPerRun(10, func() { l.due(c) }) }
	follows := linked(lane, 1, "follows", "", "target7", "referee7")
	var few float64
	for n := range 3 * maxReferrals {
		if n == 10 {
			few = cost(follows)
		}
		now = now.Add(time.Millisecond)
		first := linked(lane, n+10, fmt.Sprint("first ", n), "", fmt.Sprint("referee", n), "boss")
		l.refer(first, sideA, refers(fmt.Sprint("target", n)))
	}
	if many := cost(follows); many > few {
		t.Errorf("a call costs %v allocations among %d referrals, %v among ten", many, maxReferrals, few)
	}
	if len(l.referred) != maxReferrals || len(l.targets) != maxReferrals {
		t.Errorf("%d referrals of %d targets are kept", len(l.referred), len(l.targets))
	}
	if g := l.due(follows); g.Name != "" {
		t.Errorf("a forgotten one is found: %v", g)
	}
	last := 3*maxReferrals - 1
	again := linked(lane, 9, "again", "", fmt.Sprint("referee", last), "boss")
	l.refer(again, sideA, refers(fmt.Sprint("target", last)))
	follows = linked(lane, 2, "follows too", "", fmt.Sprint("target", last), fmt.Sprint("referee", last))
	if g := l.due(follows); g.Name != again.id {
		t.Errorf("follows from %v, want %s", g, again.id)
	}
	if g := l.due(linked(lane, 3, "another", "", fmt.Sprint("target", last), "stranger")); g.Name != "" {
		t.Errorf("a stranger follows from %v", g)
	}
	now = now.Add(referralLife + time.Second)
	if g := l.due(follows); g.Name != "" || len(l.referred)+len(l.targets) != 0 {
		t.Errorf("a minute later: %v, %d and %d are kept", g, len(l.referred), len(l.targets))
	}
}
