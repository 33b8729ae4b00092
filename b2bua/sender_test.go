package b2bua

import (
	"net/netip"
	"testing"

	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
)

func TestSymmetricSignalling(t *testing.T) {
	for _, tc := range []struct {
		name, contact, from, proto string
		conn                       uint64
		routes                     []string
		want                       bool
	}{
		{"public contact elsewhere is obeyed", "sip:a@192.0.2.5:5070", "198.51.100.7:5060", "udp", 0, nil, false},
		{"contact is the source", "sip:a@10.0.0.5:5060", "10.0.0.5:5060", "udp", 0, nil, false},
		{"private contact behind NAT", "sip:a@10.0.0.5:5060", "198.51.100.7:4711", "udp", 0, nil, true},
		{"private contact in our own network", "sip:a@10.0.0.5:5060", "10.0.0.9:5060", "udp", 0, nil, false},
		{"contact behind a carrier's NAT", "sip:a@100.70.1.2:5060", "203.0.113.9:40000", "udp", 0, nil, true},
		{"contact in the carrier's network", "sip:a@100.70.1.2:5060", "100.70.1.9:5060", "udp", 0, nil, false},
		{"private contact seen from the carrier's network", "sip:a@192.168.1.5:5060", "100.70.1.2:40000", "udp", 0, nil, true},
		{"host whose network has IPv6 alone", "sip:a@192.0.0.4:5060", "203.0.113.9:40000", "udp", 0, nil, true},
		{"the same in our own network", "sip:a@192.0.0.4:5060", "10.0.0.9:5060", "udp", 0, nil, true},
		{"contact that is no address", "sip:a@0.0.0.0:5060", "10.0.0.9:5060", "udp", 0, nil, true},
		{"unique local address behind NAT66", "sip:a@[fd00::5]:5060", "[2001:db8::7]:4711", "udp", 0, nil, true},
		{"public contact, private source", "sip:a@192.0.2.5:5070", "10.0.0.9:5060", "udp", 0, nil, false},
		{"route set rules", "sip:a@10.0.0.5:5060", "198.51.100.7:4711", "udp", 0, []string{"<sip:198.51.100.7;lr>"}, false},
		{"open connection is reused", "sip:a@192.0.2.5;transport=tcp", "192.0.2.5:40000", "tcp", 7, nil, true},
		{"host name is resolved", "sip:a@phone.example", "198.51.100.7:5060", "udp", 0, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := &dialog.Dialog{RemoteTarget: tc.contact, Routes: tc.routes}
			flow := transport.Flow{Proto: tc.proto, Remote: netip.MustParseAddrPort(tc.from), Conn: tc.conn}
			if _, got := symmetricTarget(d, flow); got != tc.want {
				t.Errorf("symmetric %v, want %v", got, tc.want)
			}
		})
	}
}

func TestContactElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name, contact, from, proto string
		want                       bool
	}{
		{"a proxy that stays out of dialogs", "sip:a@192.0.2.5;transport=tcp", "192.0.2.9:5060", "tcp", true},
		{"the same within our network", "sip:a@10.0.0.5;transport=tcp", "10.0.0.9:5060", "tcp", true},
		{"a container of that host", "sip:a@172.17.0.2;transport=tcp", "10.0.0.9:5060", "tcp", false},
		{"an address of the other family", "sip:a@[2001:db8::5];transport=tcp", "192.0.2.9:5060", "tcp", false},
		{"behind NAT", "sip:a@10.0.0.5;transport=tcp", "192.0.2.9:5060", "tcp", false},
		{"another port of the same host", "sip:a@192.0.2.9:40000;transport=tcp", "192.0.2.9:5060", "tcp", false},
		{"a name", "sip:a@pbx.example;transport=tcp", "192.0.2.9:5060", "tcp", false},
		{"TLS, where no certificate is for an address", "sip:a@192.0.2.5;transport=tls", "192.0.2.9:5061", "tls", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			flow := transport.Flow{Proto: tc.proto, Remote: netip.MustParseAddrPort(tc.from), Conn: 7}
			if got := contactElsewhere(&dialog.Dialog{RemoteTarget: tc.contact}, flow); got != tc.want {
				t.Errorf("elsewhere %v, want %v", got, tc.want)
			}
		})
	}
}
