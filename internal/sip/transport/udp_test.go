package transport_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
	testpeer "sidetrack/tests/peer"
)

func TestUDPBothFamilies(t *testing.T) {
	for _, url := range []string{"udp://127.0.0.1:0", "udp://[::1]:0"} {
		r := newRig(t, transport.Config{})
		l := r.listen(url)
		c := dialled(t, l)
		fmt.Fprint(c, request("one", "SIP/2.0/UDP pc.example.com;branch=z9hG4bKx;rport, SIP/2.0/UDP x;branch=y", "body"))
		m := r.next()
		if m.Flow.Proto != "udp" || m.Flow.Listener != l || m.Flow.Remote != addrPort(c.LocalAddr()) || m.Flow.Conn != 0 {
			t.Errorf("%s: flow %+v", url, m.Flow)
		}
		a := m.Flow.Remote
		want := fmt.Sprintf("SIP/2.0/UDP pc.example.com;branch=z9hG4bKx;received=%s;rport=%d, SIP/2.0/UDP x;branch=y", a.Addr(), a.Port())
		if got := m.Msg.Get("Via"); got != want {
			t.Errorf("%s: Via %q, want %q", url, got, want)
		}
		if err := r.Send(m.Flow, []byte("answer")); err != nil {
			t.Fatal(err)
		}
		if got := read(t, c); got != "answer" {
			t.Errorf("%s: got %q", url, got)
		}
	}
}

// Datagrams of every size up to UDP's own limit pass both ways (RFC 3261 §18.1.1).
func TestUDPLarge(t *testing.T) {
	r := newRig(t, transport.Config{})
	l := r.listen("udp://127.0.0.1:0")
	c := dialled(t, l)
	for _, n := range []int{1300, 5000, 20000, 60000} {
		fmt.Fprint(c, request("big", "SIP/2.0/UDP x;branch=z9hG4bKx;rport", strings.Repeat("b", n)))
		m := r.next()
		if len(m.Msg.Body) != n {
			t.Errorf("body of %d octets came as %d", n, len(m.Msg.Body))
		}
		if err := r.Send(m.Flow, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, c); len(got) != n {
			t.Errorf("datagram of %d octets left as %d", n, len(got))
		}
	}
	if err := r.Send(transport.Flow{Proto: "udp", Listener: l, Remote: l.Bound}, make([]byte, 70000)); err == nil {
		t.Error("no error for a datagram beyond the limit of UDP")
	}
}

func TestUDPIgnoresWhatIsNotSIP(t *testing.T) {
	r := newRig(t, transport.Config{})
	c := dialled(t, r.listen("udp://127.0.0.1:0"))
	stun := "\x01\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"
	for _, junk := range []string{"", "\r\n", "\r\n\r\n", "\x00\x00\x00\x00", stun} {
		fmt.Fprint(c, junk)
	}
	fmt.Fprint(c, "jabberwocky\r\n\r\n")
	fmt.Fprint(c, "\r\n\r\n"+request("after", "SIP/2.0/UDP x;branch=z9hG4bKx", ""))
	if got := r.next().Msg.CallID(); got != "after" {
		t.Errorf("got %q", got)
	}
	r.awaitRejected("parse", 1)
	if len(r.rejected) != 1 || r.rejected["parse"] != 1 {
		t.Errorf("rejected: %v", r.rejected)
	}
}

func TestFaultyRequestsAreAnsweredWithinTheRate(t *testing.T) {
	r := newRig(t, transport.Config{})
	c := dialled(t, r.listen("udp://127.0.0.1:0"))
	bad := strings.Replace(request("bad", "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx;rport", ""), "CSeq: 1 OPTIONS", "CSeq: 1 INVITE", 1)
	fmt.Fprint(c, bad)
	got := read(t, c)
	if !strings.HasPrefix(got, "SIP/2.0 400 ") || !strings.Contains(got, "tag=") || !strings.Contains(got, "rport=") {
		t.Errorf("got %q", got)
	}
	fmt.Fprint(c, strings.Replace(bad, "OPTIONS sip", "ACK sip", 1)) // never answered
	for range 300 {
		fmt.Fprint(c, bad)
	}
	r.awaitRejected("rate", 100)
	answers := 0
	for c.SetReadDeadline(time.Now().Add(200*time.Millisecond)) == nil {
		if _, err := c.Read(make([]byte, 2000)); err != nil {
			break
		}
		answers++
	}
	if answers < 50 || answers > 200 {
		t.Errorf("%d answers to 300 faulty requests, want about 100", answers)
	}
}

func TestUDPRefusedIsTold(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("error queue of the kernel")
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		r := newRig(t, transport.Config{})
		addr := netip.MustParseAddr(host)
		l := r.listen("udp://" + netip.AddrPortFrom(addr, 0).String())
		closed := dialled(t, l)
		dead := addrPort(closed.LocalAddr())
		closed.Close()
		live := dialled(t, l)

		watch := testpeer.StartStopwatch(t)
		for range 50 { // an error that waits must not hit a datagram for another peer
			if err := r.Send(transport.Flow{Proto: "udp", Listener: l, Remote: dead}, []byte("x")); err != nil {
				t.Fatalf("sending to the dead peer: %v", err)
			}
			if err := r.Send(transport.Flow{Proto: "udp", Listener: l, Remote: addrPort(live.LocalAddr())}, []byte("y")); err != nil {
				t.Fatalf("sending to the live peer: %v", err)
			}
			if got := read(t, live); got != "y" {
				t.Fatalf("live peer got %q", got)
			}
		}
		f := r.failure()
		if f.Flow.Remote != dead || f.Flow.Proto != "udp" || !errors.Is(f.Err, syscall.ECONNREFUSED) {
			t.Errorf("failure %+v", f)
		}
		if took := watch.Took(); took > time.Second {
			t.Errorf("told after %v", took)
		}
		fmt.Fprint(live, request("alive", "SIP/2.0/UDP x;branch=z9hG4bKx", ""))
		r.next()
	}
}

func TestUDPFromManySources(t *testing.T) {
	r := newRig(t, transport.Config{})
	l := r.listen("udp://127.0.0.1:0")
	const sources, each = 20, 50
	for i := range sources {
		c := dialled(t, l)
		for j := range each {
			fmt.Fprint(c, request(fmt.Sprintf("%d-%d", i, j), "SIP/2.0/UDP x;branch=z9hG4bKx", ""))
			if j%10 == 9 {
				await(t, "the reader", func() bool { return len(r.in) >= i*each+j+1 })
			}
		}
	}
	last := map[string]int{}
	for range sources * each {
		from, seq, _ := strings.Cut(r.next().Msg.CallID(), "-")
		if fmt.Sprint(last[from]) != seq {
			t.Fatalf("source %s: %s after %d", from, seq, last[from])
		}
		last[from]++
	}
}

func TestResponseFlow(t *testing.T) {
	r := newRig(t, transport.Config{})
	l := r.listen("udp://127.0.0.1:0")
	c := dialled(t, l)
	source := addrPort(c.LocalAddr())
	for sentBy, want := range map[string]uint16{
		"192.0.2.1:5099;branch=z9hG4bKx":       5099,
		"192.0.2.1;branch=z9hG4bKx":            5060,
		"192.0.2.1:5099;branch=z9hG4bKx;rport": source.Port(),
	} {
		fmt.Fprint(c, request("x", "SIP/2.0/UDP "+sentBy, ""))
		m := r.next()
		got := transport.ResponseFlow(m.Msg, m.Flow).Remote
		if got != netip.AddrPortFrom(source.Addr(), want) {
			t.Errorf("%s: response goes to %s, want port %d", sentBy, got, want)
		}
	}
}

func BenchmarkUDPSend(b *testing.B) {
	layer := transport.New(transport.Config{})
	defer layer.Close()
	l, err := layer.Listen("udp://127.0.0.1:0", "")
	if err != nil {
		b.Fatal(err)
	}
	sink, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	f := transport.Flow{Proto: "udp", Listener: l, Remote: addrPort(sink.LocalAddr())}
	msg := []byte(request("x", via, ""))
	b.ReportAllocs()
	for b.Loop() {
		_ = layer.Send(f, msg)
	}
}
