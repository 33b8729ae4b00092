package txn

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

func flowFrom(addr string) transport.Flow {
	return transport.Flow{Proto: "udp", Remote: netip.AddrPortFrom(netip.MustParseAddr(addr), 5060)}
}

// judged is what a guard says of a request, of a guest's and of a dialog that is ours if any.
func judged(g *guard, m *sip.Message, f transport.Flow, now time.Time) (sentence, string) {
	ev := &event{msg: m, flow: f, kind: begins}
	if m.IsResponse() || m.ToTag() != "" {
		ev.kind = running
	}
	return g.judge(ev, Guest, now)
}

func asking(method, toTag, agent string) *sip.Message {
	m := sip.NewRequest(method, "sip:x@y")
	m.Set("To", "<sip:x@y>")
	if toTag != "" {
		m.Set("To", "<sip:x@y>;tag="+toTag)
	}
	if agent != "" {
		m.Set("User-Agent", agent)
	}
	return m
}

// A source has its rate, then 503, then silence; it is forgiven; others are not touched.
func TestGuardPerSource(t *testing.T) {
	g := guarding(Rates{PerSource: 10})
	now := time.Unix(1000, 0)
	count := map[sentence]int{}
	for range 100 {
		s, reason := judged(g, asking("INVITE", "", ""), flowFrom("192.0.2.1"), now)
		if s != admit && reason != rejectSourceRate {
			t.Errorf("reason %q", reason)
		}
		count[s]++
	}
	if count[admit] != 10 || count[refuse] != 10 || count[drop] != 80 {
		t.Errorf("judged %v", count)
	}
	if s, _ := judged(g, asking("INVITE", "", ""), flowFrom("192.0.2.2"), now); s != admit {
		t.Error("another source is refused")
	}
	if s, _ := judged(g, asking("INVITE", "", ""), flowFrom("192.0.2.1"), now.Add(3500*time.Millisecond)); s != admit {
		t.Error("the source is not forgiven")
	}
	for range 100 {
		for exempt, kind := range map[*sip.Message]kind{asking("ACK", "t", ""): running, asking("CANCEL", "", ""): cancels, sip.NewResponse(asking("INVITE", "", ""), 200, ""): running} {
			if s, _ := g.judge(&event{msg: exempt, flow: flowFrom("192.0.2.3"), kind: kind}, Guest, now); s != admit {
				t.Errorf("%s refused", exempt.Method)
			}
		}
	}
	for range 11 {
		s, _ := judged(g, asking("CANCEL", "", ""), flowFrom("192.0.2.4"), now)
		count[s]++
	}
	if count[drop] != 81 {
		t.Error("a CANCEL of nothing is taken, above the rate")
	}
}

// By a connection nobody is left without an answer, but scanners.
func TestGuardIsNotSilentOnStreams(t *testing.T) {
	g := guarding(Rates{PerSource: 10, Total: 1000})
	now, count := time.Unix(1000, 0), map[sentence]int{}
	for range 100 {
		f := flowFrom("192.0.2.1")
		f.Proto = "tls"
		s, _ := judged(g, asking("INVITE", "", ""), f, now)
		count[s]++
		if s, _ = judged(g, asking("CANCEL", "", ""), f, now); s != admit {
			t.Fatal("a CANCEL is refused")
		}
		if s, _ = judged(g, asking("OPTIONS", "", "friendly-scanner"), f, now); s != drop {
			t.Fatal("a scanner is answered")
		}
	}
	if count[admit] != 10 || count[refuse] != 90 {
		t.Errorf("judged %v", count)
	}
}

// The total spares what belongs to running calls, and one source cannot use it up.
func TestGuardTotal(t *testing.T) {
	g := guarding(Rates{PerSource: 5, Total: 20})
	now := time.Unix(1000, 0)
	for range 1000 {
		judged(g, asking("INVITE", "", ""), flowFrom("192.0.2.1"), now)
	}
	if s, _ := judged(g, asking("INVITE", "", ""), flowFrom("192.0.2.2"), now); s != admit {
		t.Error("one source used up the total")
	}
	admitted := 0
	for i := range 100 {
		addr := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String()
		if s, reason := judged(g, asking("INVITE", "", ""), flowFrom(addr), now); s == admit {
			admitted++
		} else if s != refuse || reason != rejectTotalRate {
			t.Errorf("judged %v, %q", s, reason)
		}
		if s, _ := judged(g, asking("BYE", "t", ""), flowFrom(addr), now); s != admit {
			t.Error("a BYE is refused")
		}
		foreign := &event{msg: asking("NOTIFY", "t", ""), flow: flowFrom(addr), kind: foreign}
		if s, _ := g.judge(foreign, Known, now); s != admit {
			t.Error("a NOTIFY of somebody we know is refused")
		}
		if s, reason := g.judge(foreign, Guest, now); s != admit {
			if s != refuse || reason != rejectTotalRate {
				t.Errorf("judged %v, %q", s, reason)
			}
		} else {
			admitted++
		}
	}
	if admitted != 14 { // what is of no dialog counts
		t.Errorf("%d admitted, 14 were left", admitted)
	}
}

// A million forged sources leave no more behind than two generations, and one /64 is one source.
func TestGuardIsBounded(t *testing.T) {
	g := guarding(Rates{PerSource: 1})
	now := time.Unix(1000, 0)
	for i := range 1_000_000 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(i))
		g.source(netip.AddrFrom4(a), now).begins.take(1, now)
	}
	if n := len(g.now) + len(g.before); n > 2*maxSources {
		t.Errorf("%d sources remembered", n)
	}
	if g.source(netip.MustParseAddr("2001:db8::1"), now) != g.source(netip.MustParseAddr("2001:db8::ffff:1"), now) {
		t.Error("two addresses of a /64 are two sources")
	}
}

func TestGuardDropsScanners(t *testing.T) {
	g := &guard{}
	for agent, want := range map[string]sentence{"friendly-scanner": drop, "SIPVicious 0.3": drop, "sipcli/v1.8": drop, "Yealink SIP-T46": admit, "": admit} {
		if s, _ := judged(g, asking("OPTIONS", "", agent), flowFrom("192.0.2.1"), time.Unix(1000, 0)); s != want {
			t.Errorf("%q: %v", agent, s)
		}
	}
}

func BenchmarkGuard(b *testing.B) {
	b.ReportAllocs()
	g := guarding(Rates{PerSource: 1000, Total: 1 << 20})
	ev, now := &event{msg: asking("INVITE", "", "Phone (1.0)"), flow: flowFrom("192.0.2.1"), kind: begins}, time.Unix(1000, 0)
	for b.Loop() {
		now = now.Add(time.Millisecond)
		g.judge(ev, Guest, now)
	}
}

func guarding(r Rates) *guard {
	g := &guard{}
	g.rates.Store(&r)
	return g
}
