package forker

import (
	"net/netip"
	"testing"
	"time"
)

var (
	signalled = netip.MustParseAddrPort("10.0.0.1:4000")
	natPort   = netip.MustParseAddrPort("10.0.0.1:61000")
	natHost   = netip.MustParseAddrPort("203.0.113.9:50000")
	natOther  = netip.MustParseAddrPort("203.0.113.9:50001")
	attacker  = netip.MustParseAddrPort("198.51.100.66:7000")
	moved     = netip.MustParseAddrPort("10.0.0.1:4002")
	elsewhere = netip.MustParseAddrPort("10.0.9.9:4000")
)

// step is one thing that happens to a latch.
type step struct {
	at    time.Duration
	set   netip.AddrPort // signalled anew, when valid
	from  netip.AddrPort // or a packet from there
	seq   uint16
	ssrc  uint32
	noRTP bool
	want  verdict
}

func packet(at time.Duration, from netip.AddrPort, seq uint16, want verdict) step {
	return step{at: at, from: from, seq: seq, ssrc: 1, want: want}
}

// run of n consecutive packets 20 ms apart.
func steps(at time.Duration, from netip.AddrPort, seq uint16, n int, want verdict) (s []step) {
	for i := range n {
		s = append(s, packet(at+time.Duration(i)*20*time.Millisecond, from, seq+uint16(i), want))
	}
	return s
}

func TestLatch(t *testing.T) {
	const ms = time.Millisecond
	first := step{set: signalled}
	for _, tc := range []struct {
		name    string
		sends   bool
		source  netip.Addr
		shunned netip.AddrPort
		steps   [][]step
	}{
		{"nobody before SDP", true, netip.Addr{}, netip.AddrPort{}, [][]step{
			{packet(0, signalled, 1, early), packet(0, attacker, 1, early)}}},
		{"signalled at once", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			{packet(0, signalled, 1, admitted), packet(0, attacker, 2, stranger), packet(0, natPort, 2, stranger)}}},
		{"signalled at once, whatever it sends", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			{step{from: signalled, noRTP: true, want: admitted}}}},
		{"other port of the signalled host", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			{packet(0, natPort, 1, admitted), packet(0, natPort, 2, admitted)}}},
		{"other port, no RTP", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			{step{from: natPort, noRTP: true, want: stranger}, packet(0, natPort, 1, admitted)}}},
		{"foreign host, after the hold-off", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			steps(0, natHost, 1, 10, stranger), steps(200*ms, natHost, 11, 5, admitted)}},
		{"foreign host of a party that is not to send", false, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			steps(0, natHost, 1, 40, stranger)}},
		{"foreign host with gaps shows no run", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			{packet(0, natHost, 1, stranger), packet(300*ms, natHost, 3, stranger), packet(320*ms, natHost, 5, stranger)},
			{packet(340*ms, natHost, 6, stranger), packet(360*ms, natHost, 7, admitted)}}},
		{"foreign host changing SSRC", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			{step{from: natHost, seq: 1, ssrc: 1, want: stranger}, step{at: 300 * ms, from: natHost, seq: 2, ssrc: 2, want: stranger},
				step{at: 320 * ms, from: natHost, seq: 3, ssrc: 3, want: stranger}, step{at: 340 * ms, from: natHost, seq: 4, ssrc: 4, want: stranger}}}},
		{"two foreign hosts: neither", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			steps(0, natHost, 1, 5, stranger), steps(100*ms, attacker, 1, 5, stranger),
			steps(300*ms, natHost, 6, 5, stranger), {packet(500*ms, signalled, 1, admitted)}}},
		{"foreign flood uses the window up", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			flood(100, ms), steps(300*ms, attacker, 101, 5, stranger), {packet(400*ms, signalled, 1, admitted)}}},
		{"foreign flood keeps no party behind a NAT out", true, natHost.Addr(), netip.AddrPort{}, [][]step{{first},
			flood(100, ms), {packet(400*ms, natHost, 1, admitted), packet(410*ms, attacker, 101, stranger)}}},
		{"foreign flood does not hide another port", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			flood(100, ms), {packet(400*ms, natPort, 1, admitted), packet(410*ms, attacker, 101, stranger)}}},
		{"signalled takes over from a foreign host", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			steps(0, natHost, 1, 10, stranger), steps(200*ms, natHost, 11, 1, admitted),
			{packet(300*ms, signalled, 1, admitted), packet(300*ms, natHost, 12, stranger)}}},
		{"host of the signalling", true, natHost.Addr(), netip.AddrPort{}, [][]step{{first},
			{packet(0, natHost, 1, admitted), packet(0, attacker, 1, stranger)}}},
		{"same address again keeps the latch", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			{packet(0, natPort, 1, admitted), step{set: signalled}, packet(0, natPort, 2, admitted)}}},
		{"hold by 0.0.0.0 keeps the latch", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			{packet(0, natPort, 1, admitted), step{set: netip.MustParseAddrPort("0.0.0.0:4000")},
				packet(0, natPort, 2, admitted), step{set: signalled}, packet(0, natPort, 3, admitted)}}},
		{"new port, same NAT host", true, natHost.Addr(), netip.AddrPort{}, [][]step{{first},
			{packet(0, natHost, 1, admitted), step{set: moved}, packet(0, natHost, 2, stranger), packet(0, natOther, 1, admitted)}}},
		{"new host: the old party is out for good", true, netip.Addr{}, netip.AddrPort{}, [][]step{{first},
			{packet(0, signalled, 1, admitted), step{set: elsewhere}}, steps(0, signalled, 2, 40, stranger),
			{packet(900*ms, elsewhere, 1, admitted)}}},
		{"who spoke to the port before is not believed", true, netip.Addr{}, natPort, [][]step{{first},
			steps(0, natPort, 1, 40, stranger), {packet(0, natHost, 1, stranger), packet(0, signalled, 1, admitted)}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var l latch
			l.shun(tc.shunned)
			n := 0
			for _, group := range tc.steps {
				for _, s := range group {
					n++
					if s.set.IsValid() {
						l.set(s.set, tc.sends, tc.source)
						continue
					}
					h := &header{seq: s.seq, ssrc: s.ssrc}
					if s.noRTP {
						h = nil
					}
					if got := l.admit(s.from, h, true, netip.Addr{}, int64(s.at)); got != s.want {
						t.Fatalf("step %d: %v seq %d at %v: %d, want %d", n, s.from, s.seq, s.at, got, s.want)
					}
				}
			}
		})
	}
}

func flood(n int, every time.Duration) (s []step) {
	for i := range n {
		s = append(s, packet(time.Duration(i)*every, attacker, uint16(i), stranger))
	}
	return s
}

func TestLatchControlFollowsMedia(t *testing.T) {
	var l latch
	l.set(netip.MustParseAddrPort("10.0.0.1:4001"), true, netip.Addr{})
	if got := l.admit(natOther, nil, false, netip.Addr{}, 0); got != stranger {
		t.Errorf("before media latched: %d", got)
	}
	if got := l.admit(natOther, nil, false, natHost.Addr(), 0); got != admitted {
		t.Errorf("after media latched on that host: %d", got)
	}
}

func TestLatchTarget(t *testing.T) {
	var l latch
	want := func(what string, a netip.AddrPort) {
		t.Helper()
		if got := l.target(); got != a {
			t.Errorf("%s: %v, want %v", what, got, a)
		}
	}
	want("unknown", netip.AddrPort{})
	l.set(signalled, true, netip.Addr{})
	want("signalled", signalled)
	l.admit(natPort, &header{}, true, netip.Addr{}, 0)
	want("latched", natPort)
	l.set(netip.MustParseAddrPort("[::]:9"), true, netip.Addr{})
	want("held", netip.AddrPort{})
	l.set(netip.AddrPort{}, true, netip.Addr{})
	want("disabled", netip.AddrPort{})
}
