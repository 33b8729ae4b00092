package app_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/app"
	"sidetrack/tests/peer"
)

// A recorded call has ten sockets for media, on eight ports. Calls that would leave too few descriptors for the copies of those
// that run are refused; those that are taken are recorded.
func TestCallsLeaveRoomForTheirCopies(t *testing.T) {
	s := openAs(t, app.Options{Files: 22}) // and one is spared
	first, far := s.call()
	second, other := s.call()
	if got := s.dial(peer.NewMedia(t, home(4), "call", "carol")).ExpectFinal(); got.Status() != 503 || got.Get("Retry-After") == "" {
		t.Errorf("one too many got %q", got.Raw)
	}
	if n := s.metric(`sidetrack_sip_rejected_total{reason="capacity"}`); n != "1" {
		t.Errorf("%s calls are refused", n)
	}
	first.Send("BYE")
	far.AnswerBye()
	s.eventually("its sockets are closed", func() bool { return s.app.MediaPorts().Used+s.app.MediaPorts().Draining == 8 })
	third, last := s.call()
	for left, right := range map[*peer.Dialog]*peer.Dialog{second: other, third: last} {
		left.Send("BYE")
		right.AnswerBye()
	}
}

// A call that no rule has recorded has six sockets, and leaves the others to calls.
func TestCallsThatAreNotRecordedTakeLess(t *testing.T) {
	s := openAs(t, app.Options{Files: 32}, "{name: all,", "{name: other, match: {to: other},")
	answered := func() (left, right *peer.Dialog) {
		out := s.dial(peer.NewMedia(t, home(4), "call", "alice"))
		in := s.pbx.Expect("INVITE")
		in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: peer.NewMedia(t, home(2), "call", "bob")})))
		ok := out.Expect(200)
		left, right = out.Dialog(ok), in.Dialog()
		left.Ack(ok)
		right.Expect("ACK")
		return left, right
	}
	var calls [5][2]*peer.Dialog
	for i := range calls {
		calls[i][0], calls[i][1] = answered()
	}
	if got := s.dial(peer.NewMedia(t, home(4), "call", "carol")).ExpectFinal(); got.Status() != 503 {
		t.Errorf("one too many got %q", got.Raw)
	}
	for _, c := range calls {
		bye := c[0].Send("BYE")
		c[1].AnswerBye()
		bye.Expect(200)
	}
}

// The number of connections is bounded as configured, from one address and in all;
// a reload changes it for those that come then, and whoever is connected stays so.
func TestConnectionsAreLimited(t *testing.T) {
	limits := func(all, source int) []string {
		return []string{"drain: 30s", fmt.Sprintf("max_connections: %d\n  max_connections_per_source: %d", all, source)}
	}
	s := open(t, limits(3, 1)...)
	answered := func(c net.Conn) bool {
		t.Helper()
		c.SetDeadline(time.Now().Add(peer.Patience))
		fmt.Fprintf(c, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/TCP a.test;branch=z9hG4bK%s\r\nFrom: <sip:a@a.test>;tag=1\r\nTo: <sip:b.test>\r\n"+
			"Call-ID: %[2]s\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", s.app.Listeners()[1].Bound, rand.Text())
		answer := make([]byte, 4096)
		n, err := c.Read(answer)
		return err == nil && strings.HasPrefix(string(answer[:n]), "SIP/2.0 200 ")
	}
	from := func(n int) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(home(n))}}
		c, err := d.Dial("tcp", s.app.Listeners()[1].Bound.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	refused := func(n string) {
		t.Helper()
		s.eventually(n+" connections are refused", func() bool { return s.metric(`sidetrack_sip_rejected_total{reason="conn-limit"}`) == n })
	}
	first := from(5)
	if !answered(first) || answered(from(5)) {
		t.Error("one connection of an address is not taken, or a second is")
	}
	refused("1")
	if err := s.app.Reload(parse(t, text(append(limits(2, 9), s.names[2:]...)...))); err != nil {
		t.Fatal(err)
	}
	if !answered(from(5)) || answered(from(6)) {
		t.Error("two connections in all are not taken, or a third is")
	}
	refused("2")
	if err := s.app.Reload(parse(t, text(append(limits(1, 1), s.names[2:]...)...))); err != nil {
		t.Fatal(err)
	}
	if !answered(first) {
		t.Error("an open connection is closed by a reload")
	}
}
