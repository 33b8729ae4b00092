package b2bua

import (
	"net/netip"
	"testing"
	"time"

	"sidetrack/internal/sip/txn"
)

// A name of which every address fails is given up, also where they are one host and port by several protocols.
func TestAddressesAreGoneThroughOnce(t *testing.T) {
	at := func(proto, addr string) txn.Target {
		return txn.Target{Proto: proto, Addr: netip.MustParseAddrPort(addr)}
	}
	for name, targets := range map[string][]txn.Target{
		"none":           {},
		"one":            {at("udp", "192.0.2.1:5060")},
		"two hosts":      {at("udp", "192.0.2.1:5060"), at("udp", "192.0.2.2:5060")},
		"two protocols":  {at("udp", "192.0.2.1:5060"), at("tcp", "192.0.2.1:5060")},
		"both, in turns": {at("udp", "192.0.2.1:5060"), at("udp", "192.0.2.2:5060"), at("tcp", "192.0.2.1:5060"), at("tcp", "192.0.2.2:5060")},
	} {
		q := sender{targets: targets}
		tries := 1
		for len(targets) > 0 && q.advance(q.targets[q.at]) && tries < 10 {
			tries++
		}
		if tries != max(1, len(targets)) {
			t.Errorf("%s: %d tries", name, tries)
		}
		if q.at > 0 && q.advance(at("udp", "203.0.113.1:5060")) {
			t.Errorf("%s: an address that is not its own moves it on", name)
		}
	}
}

// A proxy in the route of a call says nothing when who is behind it does not (RFC 4320): the call tries the next address of its
// name, but no other call is sent past it. One that cannot be reached is asked last by all.
func TestSilenceWithinACallCountsAgainstNobody(t *testing.T) {
	first, second := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060")
	for err, next := range map[error]netip.AddrPort{txn.ErrTimeout: first, txn.ErrTransport: second} {
		found := []txn.Target{{Proto: "udp", Addr: first}, {Proto: "udp", Addr: second}}
		now := time.Now()
		c := &Call{srv: &Server{}, lane: txn.New(txn.Config{Transport: nowhere{}, Now: func() time.Time { return now }}).Lanes()[0]}
		c.legs[sideB].sender.targets = found
		if !c.elsewhere(sideB, found[0], err) {
			t.Fatalf("%v: the next address is not tried", err)
		}
		if ordered, _ := c.srv.penalties.order(found, now); ordered[0].Addr != next {
			t.Errorf("%v: the next call goes to %s", err, ordered[0].Addr)
		}
	}
}
