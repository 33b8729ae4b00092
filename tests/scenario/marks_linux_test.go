package scenario_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sidetrack/tests/peer"
)

// listener is a party's RTP socket that tells the DSCP of what comes.
type listener struct {
	t    *testing.T
	conn *net.UDPConn
}

func newListener(t *testing.T, ip string) *listener {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	level, option := unix.IPPROTO_IP, unix.IP_RECVTOS
	if strings.Contains(ip, ":") {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, 1) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return &listener{t, conn}
}

func (l *listener) sdp() []byte {
	at := l.conn.LocalAddr().(*net.UDPAddr)
	family := "IP4"
	if at.IP.To4() == nil {
		family = "IP6"
	}
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 IN %[1]s %[2]s\r\ns=-\r\nc=IN %[1]s %[2]s\r\nt=0 0\r\nm=audio %[3]d RTP/AVP 0\r\n", family, at.IP, at.Port)
}

// mark is the DSCP of the next datagram.
func (l *listener) mark() int {
	l.t.Helper()
	if err := l.conn.SetReadDeadline(time.Now().Add(peer.Patience)); err != nil {
		l.t.Fatal(err)
	}
	oob := make([]byte, 256)
	_, n, _, _, err := l.conn.ReadMsgUDPAddrPort(make([]byte, 2048), oob)
	if err != nil {
		l.t.Fatal(err)
	}
	all, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		l.t.Fatal(err)
	}
	for _, m := range all {
		if m.Header.Type == unix.IP_TOS || m.Header.Type == unix.IPV6_TCLASS {
			return int(m.Data[0]) >> 2
		}
	}
	return -1
}

// What the configuration says of marks and of the packets that a port takes holds on the wire: of media as a whole
// and of a network, and another rate after a reload.
func TestMarksAndRateOfTheConfiguration(t *testing.T) {
	ladder := peer.NewLadder(t)
	caller, callee := peer.New(t, ladder, "caller", callerIP), peer.New(t, ladder, "callee", "::1")
	_, port, err := net.SplitHostPort(freePort(t, systemIP))
	if err != nil {
		t.Fatal(err)
	}
	http := freePort(t, systemIP)
	text := func(rate int) string {
		return fmt.Sprintf(`
sip:
  listen: ["udp://[::1]:%[2]s", "udp://%[1]s:%[2]s"]
  trusted: [127.0.0.0/8, "::1/128"]
routes:
  - to: "%[3]s"
    network: six
media:
  listen: %[1]s
  ports: 22000-22999
  dscp: af41
  max_rate: %[5]d
  networks:
    six: {listen: "::1", ports: 23000-23099, dscp: ef}
http: {listen: "%[4]s"}
`, systemIP, port, callee.URI(""), http, rate)
	}
	sys := Start(t, ladder, text(20))
	a, b := newListener(t, callerIP), newListener(t, "::1")
	out := caller.Invite(sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: a.sdp()})
	in := callee.Expect("INVITE")
	toB := peer.ParseSDP(in.SDP()).Media[0].Addr()
	in.Reply(200, peer.WithSDP(b.sdp()))
	ok := out.Expect(200)
	toA := peer.ParseSDP(ok.SDP()).Media[0].Addr()
	left, right := out.Dialog(ok), in.Dialog()
	left.Ack(ok)
	right.Expect("ACK")

	var seq uint16
	say := func(l *listener, to interface{ String() string }) {
		t.Helper()
		seq++
		packet := append([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 160)...)
		binary.BigEndian.PutUint16(packet[2:], seq)
		binary.BigEndian.PutUint32(packet[4:], uint32(seq)*160)
		addr, err := net.ResolveUDPAddr("udp", to.String())
		if err == nil {
			_, err = l.conn.WriteToUDP(packet, addr)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	say(a, toA)
	say(b, toB)
	if atA, atB := a.mark(), b.mark(); atA != 34 || atB != 46 {
		t.Errorf("DSCP %d at the caller, want 34; %d at the callee, want 46", atA, atB)
	}

	const beyond = `sidetrack_rtp_dropped_packets_total{direction="caller",reason="rate"}`
	flood := func() {
		t.Helper()
		before := sys.metric(`sidetrack_rtp_packets_total{direction="caller"}`) + sys.metric(beyond)
		for range 100 {
			say(a, toA)
		}
		if !peer.Eventually(func() bool {
			return sys.metric(`sidetrack_rtp_packets_total{direction="caller"}`)+sys.metric(beyond) == before+100
		}) {
			t.Fatal("the flood has not arrived")
		}
	}
	file := filepath.Join(t.TempDir(), "sidetrack.yaml")
	for i, rate := range []int{20, 1, 0} { // a port without a bound asks after many packets only whether there is one
		if i > 0 {
			if err := sys.reload(file, text(rate)); err != nil {
				t.Fatal(err)
			}
		}
		if !peer.Eventually(func() bool {
			before := sys.metric(beyond)
			flood()
			return sys.metric(beyond) > before == (rate > 0)
		}) {
			t.Errorf("max_rate %d does not hold", rate)
		}
	}
	bye := right.Send("BYE")
	left.AnswerBye()
	bye.Expect(200)
}
