package transport

import (
	"net/netip"
	"testing"
	"time"
)

// A request leaves by the socket on the interface that leads to its target; a wildcard serves all the others.
func TestPickByInterface(t *testing.T) {
	in, out, far, elsewhere := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("192.0.2.99")
	at := func(proto string, a netip.Addr) *Listener {
		return &Listener{Proto: proto, Bound: netip.AddrPortFrom(a, 5060)}
	}
	inside, outside, stream, all := at("udp", in), at("udp", out), at("tcp", out), at("udp", netip.IPv4Unspecified())
	six, loop := at("udp", netip.MustParseAddr("2001:db8::1")), at("udp", netip.MustParseAddr("127.0.0.1"))
	for _, tt := range []struct {
		listeners []*Listener
		proto     string
		remote    netip.Addr
		want      *Listener
	}{
		{[]*Listener{inside, outside}, "udp", far, outside},
		{[]*Listener{outside, inside}, "udp", in, inside},
		{[]*Listener{inside, outside}, "udp", elsewhere, inside},
		{[]*Listener{inside, outside, all}, "udp", elsewhere, all},
		{[]*Listener{all, outside}, "udp", far, all},
		{[]*Listener{inside, stream}, "tcp", far, stream},
		{[]*Listener{inside, stream}, "", far, stream},
		{[]*Listener{inside, outside}, "tcp", far, nil},
		{[]*Listener{inside, six}, "udp", six.Bound.Addr(), six},
		{[]*Listener{inside, outside, loop}, "udp", loop.Bound.Addr(), loop},
		{[]*Listener{loop}, "udp", far, loop},
	} {
		l := New(Config{})
		l.listeners = tt.listeners
		l.routes.since, l.routes.known = time.Now(), map[netip.Addr]netip.Addr{far: out, in: in, elsewhere: {}}
		if got := l.Pick(tt.proto, tt.remote); got != tt.want {
			t.Errorf("%s to %s: %+v, want %+v", tt.proto, tt.remote, got, tt.want)
		}
	}
}
