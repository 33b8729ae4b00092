package b2bua_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/internal/sip/digest"
	"sidetrack/tests/peer"
)

// victim is an address in whose name somebody sends requests.
type victim struct {
	t        *testing.T
	conn     *net.UDPConn
	to       netip.AddrPort
	sent     int // octets
	number   int
	got      int
	answered map[string]int // by status
}

func newVictim(t *testing.T, to netip.AddrPort, ip string) *victim {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &victim{t: t, conn: conn, to: to, answered: map[string]int{}}
}

// send sends a request; all have one Call-ID, so that they are handled in order.
func (v *victim) send(method string, hops int, more string) {
	v.t.Helper()
	v.sendTo("<sip:bob@pbx.test>", method, hops, more)
}

func (v *victim) sendTo(to, method string, hops int, more string) {
	v.t.Helper()
	v.number++
	m := fmt.Sprintf("%s sip:bob@pbx.test SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKv%d;rport\r\nMax-Forwards: %d\r\nFrom: <sip:a@x.test>;tag=1\r\n"+
		"To: %[6]s\r\nCall-ID: one\r\nCSeq: %[3]d %[1]s\r\n%[5]sContent-Length: 0\r\n\r\n", method, v.conn.LocalAddr(), v.number, hops, more, to)
	v.sent += len(m)
	if _, err := v.conn.WriteToUDPAddrPort([]byte(m), v.to); err != nil {
		v.t.Fatal(err)
	}
}

// next takes one answer, and gives its status.
func (v *victim) next(wait time.Duration) string {
	v.t.Helper()
	buf := make([]byte, 65535)
	_ = v.conn.SetReadDeadline(time.Now().Add(wait))
	n, err := v.conn.Read(buf)
	if err != nil {
		return ""
	}
	status, _ := strings.CutPrefix(string(buf[:n]), "SIP/2.0 ")
	v.got += n
	v.answered[status[:3]]++
	return status[:3]
}

// Whatever a stranger asks, in whoever's name: one answer at most, no longer than the question by much, no repetition,
// and nothing is kept of it.
func TestStrangersGetNoMoreThanTheyGive(t *testing.T) {
	s := newStage(t, setup{trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.99/32")}, pbxAt: "127.0.0.99"})
	v := newVictim(t, s.proxy, "127.0.0.1")
	for what, tt := range map[string]struct {
		method string
		hops   int
		more   string
		want   string
	}{
		"a call":                   {"INVITE", 70, "", "403"},
		"a call without hops left": {"INVITE", 0, "", "403"},
		"a ping without hops left": {"OPTIONS", 0, "", "403"},
		"a registration":           {"REGISTER", 70, "Contact: <sip:a@x.test>\r\n", "403"},
		"the end of a call":        {"BYE", 70, "", "403"},
		"a CANCEL of nothing":      {"CANCEL", 70, "", "481"},
		"no request":               {"INVITE", 70, "Max-Forwards: x\r\n", "400"},
		"a scan":                   {"OPTIONS", 70, "User-Agent: sipvicious\r\n", ""},
	} {
		was := v.got - v.sent
		for range 5 {
			v.send(tt.method, tt.hops, tt.more)
			if tt.want == "" {
				continue
			}
			if got := v.next(peer.Patience); got != tt.want {
				t.Errorf("%s: %s, want %s", what, got, tt.want)
			}
		}
		if over := v.got - v.sent - was; over > 5*80 {
			t.Errorf("%s: five answers are %d octets longer than the questions", what, over)
		}
	}
	if n := s.layer.Transactions(); n != 0 {
		t.Errorf("%d transactions are kept", n)
	}
	v.send("INVITE", 70, "") // what had been repeated, or said to a scan, would come before this answer
	if got := v.next(peer.Patience); got != "403" || v.answered["403"] != 26 {
		t.Errorf("%s, and in all %v", got, v.answered)
	}
}

// Who floods a gate with questions in somebody's name has few of them answered.
func TestGateAnswersFewQuestions(t *testing.T) {
	users := map[string]digest.Keys{"alice": {digest.MD5: digest.HA1(digest.MD5, "alice", "gate.test", "s3cret")}}
	s := newStage(t, setup{auth: &b2bua.Auth{Gate: digest.NewGate("gate.test", []digest.Algorithm{digest.MD5}, users)}, trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.99/32")}, pbxAt: "127.0.0.99"})
	v := newVictim(t, s.proxy, "127.0.0.1")
	const asked = 1000
	for range asked {
		v.send("INVITE", 70, "")
	}
	last := newVictim(t, s.proxy, "127.0.0.77") // its question is handled after all of the others
	last.number = asked
	if !peer.Eventually(func() bool { // of so many datagrams the kernel may drop some
		last.send("INVITE", 70, "")
		return last.next(100*time.Millisecond) == "401"
	}) {
		t.Fatalf("somebody else is not answered: %v", last.answered)
	}
	for v.next(10*time.Millisecond) != "" {
	}
	if n := v.answered["401"]; n < 1 || n > asked/4 || v.got > v.sent/2 {
		t.Errorf("%d questions of %d were answered, with %d octets to %d", n, asked, v.got, v.sent)
	}
	if n := s.layer.Transactions(); n > 3 { // a repeated last one may just be in work
		t.Errorf("%d transactions are kept", n)
	}
}
