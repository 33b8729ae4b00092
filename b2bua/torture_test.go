package b2bua_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sidetrack/tests/peer"
)

const relayed = 0 // it goes on to the PBX, and the PBX's answer comes back

// tortures says what becomes of the messages of RFC 4475 and RFC 5118 that parse, at a server with its transaction user
// and an IPv4 address for media. OPTIONS without hops is answered as if sent to us (RFC 3261 §16.3); other requests that
// are not calls pass as through a proxy, which asks for Proxy-Require alone.
var tortures = map[string]int{
	"rfc4475/wsinv.dat": 481, "rfc4475/unkscm.dat": 416, "rfc4475/novelsc.dat": 416, "rfc4475/bext01.dat": 420, "rfc4475/zeromf.dat": 200,
	"rfc5118/via-received-param-with-delim.dat": 481, "rfc5118/mult-ip-in-header.dat": 481, "rfc5118/ipv6-in-sdp.dat": 488,
	"rfc4475/intmeth.dat": relayed, "rfc4475/esc01.dat": relayed, "rfc4475/escnull.dat": relayed, "rfc4475/esc02.dat": relayed,
	"rfc4475/lwsdisp.dat": relayed, "rfc4475/longreq.dat": relayed, "rfc4475/dblreq.dat": relayed, "rfc4475/semiuri.dat": relayed,
	"rfc4475/transports.dat": relayed, "rfc4475/mpart01.dat": relayed, "rfc4475/baddate.dat": relayed, "rfc4475/unksm2.dat": relayed,
	"rfc4475/invut.dat": relayed, "rfc4475/regaut01.dat": relayed, "rfc4475/cparam01.dat": relayed, "rfc4475/cparam02.dat": relayed,
	"rfc4475/regescrt.dat": relayed, "rfc4475/sdp01.dat": relayed, "rfc4475/inv2543.dat": relayed,
	"rfc5118/ipv6-good.dat": relayed, "rfc5118/port-ambiguous.dat": relayed, "rfc5118/port-unambiguous.dat": relayed,
	"rfc5118/via-received-param-no-delim.dat": relayed, "rfc5118/mult-ip-in-sdp.dat": relayed, "rfc5118/ipv4-mapped-ipv6.dat": relayed,
	"rfc5118/ipv6-correct-abnf-2-colons.dat": relayed,
}

// tormented numbers the branches.
var tormented atomic.Int64

// strays are responses to nothing: nobody hears of them.
var strays = []string{"rfc4475/unreason.dat", "rfc4475/noreason.dat", "rfc4475/bcast.dat"}

func tortureText(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../internal/sip/testdata/torture", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What is asked of a transaction user by the torture tests, and not of a parser, is done on the wire.
func TestTorture(t *testing.T) {
	s := newStage(t, setup{})
	from := peer.NewRaw(t, s.ladder, "tormentor", "127.0.0.1")
	for _, name := range strays {
		from.Send(s.proxy, tortureText(t, name))
	}
	for name, status := range tortures {
		s.torment(from, name, tortureText(t, name), status)
	}
	call := strings.NewReplacer("OPTIONS ", "INVITE ", " OPTIONS", " INVITE")
	hops := s.torment(from, "zeromf, a call", call.Replace(tortureText(t, "rfc4475/zeromf.dat")), 483)
	if hops.Get("Unsupported") != "" {
		t.Errorf("%q", hops.Raw)
	}
	for name, text := range map[string]string{
		"noproxiessupportthis nordoanyproxiessupportthis": tortureText(t, "rfc4475/bext01.dat"),
		"nothingsupportsthis nothingsupportsthiseither":   call.Replace(tortureText(t, "rfc4475/bext01.dat")),
	} {
		if got := strings.Join(s.torment(from, name, text, 420).Tokens("Unsupported"), " "); got != name {
			t.Errorf("Unsupported: %s, want %s", got, name)
		}
	}
	for _, text := range from.Arrived() {
		if !strings.Contains(text, "z9hG4bK-torment-") {
			t.Errorf("a stray was answered: %q", text)
		}
	}
	s.quiet()
}

// torment sends a message by way of a proxy in front, so that answers come to its socket; it gives the final one.
func (s *stage) torment(from *peer.Raw, name, text string, status int) *peer.Message {
	t := s.t
	t.Helper()
	s.ladder.Note("%s", name)
	branch := fmt.Sprintf("z9hG4bK-torment-%d-", tormented.Add(1))
	line, rest, _ := strings.Cut(text, "\r\n")
	from.Send(s.proxy, fmt.Sprintf("%s\r\nVia: SIP/2.0/UDP %s;branch=%s\r\n%s", line, from.Addr(), branch, rest))
	want := status
	var in *peer.Incoming
	if status == relayed {
		method, _, _ := strings.Cut(line, " ")
		in = s.pbx.ExpectWhere(name, func(m *peer.Message) bool { return m.Method() == method })
		if in.Get("Max-Forwards") == "" || in.CallID() == "" {
			t.Errorf("%s went on as %q", name, in.Raw)
		}
		want = 486
		in.Reply(want)
	}
	final := from.Expect(name, func(text string) bool {
		return strings.Contains(text, branch) && !strings.HasPrefix(text, "SIP/2.0 1")
	})
	answer, err := peer.Parse([]byte(final))
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, final)
	}
	if answer.Status() != want {
		t.Errorf("%s is answered %q, want %d", name, final, want)
	}
	if number, method := answer.CSeq(); method == "INVITE" {
		from.Send(s.proxy, fmt.Sprintf("ACK sip:x@example.test SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			from.Addr(), branch, answer.Get("From"), answer.Get("To"), answer.CallID(), number))
		if in != nil {
			in.ExpectOther("ACK")
		}
	}
	return answer
}
