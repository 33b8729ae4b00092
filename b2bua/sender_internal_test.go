package b2bua

import (
	"net/netip"
	"testing"

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
