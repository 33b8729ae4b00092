//go:build interop

package interop_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shape is one kind of datagram of a flood. Its text gets the number of the datagram and the address that it claims to
// come from; all of Call-ID, tags, branch and user are made of the number.
type shape struct {
	name   string
	text   func(n int, from netip.AddrPort) string
	reason string // for which it is counted as refused, whatever the configuration; "" when that depends on it
}

// begin begins something; more are fields of its own.
func begin(method, more string) func(int, netip.AddrPort) string { return made(method, "", more) }

// stray belongs to a call that there is not.
func stray(method, more string) func(int, netip.AddrPort) string { return made(method, ";tag=x", more) }

func made(method, tag, more string) func(int, netip.AddrPort) string {
	body := ""
	if method == "INVITE" {
		body = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n"
		more += "Content-Type: application/sdp\r\n"
	}
	if !strings.Contains(more, "Max-Forwards") {
		more += "Max-Forwards: 70\r\n"
	}
	return func(n int, from netip.AddrPort) string {
		return fmt.Sprintf("%[1]s sip:%[2]d@%[10]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]v;branch=z9hG4bK%[2]x;rport\r\nFrom: <sip:u%[2]d@%[4]v>;tag=f%[2]x\r\n"+
			"To: <sip:%[2]d@%[10]s>%[5]s\r\nCall-ID: %[2]x@%[4]v\r\nCSeq: %[6]d %[1]s\r\nContact: <sip:u%[2]d@%[3]v>\r\n%[7]sContent-Length: %[8]d\r\n\r\n%[9]s",
			method, n, from, from.Addr(), tag, n%1000+1, more, len(body), body, inside)
	}
}

// svmap is what sipvicious sends: its fields, their order and their spaces.
func svmap(method, agent string) func(int, netip.AddrPort) string {
	return func(n int, from netip.AddrPort) string {
		return fmt.Sprintf("%[1]s sip:100@%[5]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]v;branch=z9hG4bK-%[2]d;rport\r\nContent-Length: 0\r\n"+
			"From: \"sipvicious\"<sip:100@1.1.1.1>;tag=6330303030303031313363340131%[2]d\r\nAccept: application/sdp\r\nUser-Agent: %[4]s\r\n"+
			"To: \"sipvicious\"<sip:100@1.1.1.1>\r\nContact: sip:100@%[3]v\r\nCSeq: 1 %[1]s\r\nCall-ID: %[2]d\r\nMax-Forwards: 70\r\n\r\n", method, n, from, agent, inside)
	}
}

// A forger has no nonce of ours, but may know the realm.
const forged = `Authorization: Digest username="100", realm="flood.test", nonce="AAAAAGkg", uri="sip:b.test", response="0123456789abcdef0123456789abcdef", algorithm=%s` + "\r\n"

// shapes are those of scanners, of strangers, and of what is none of SIP.
var shapes = []shape{
	{"svmap", svmap("OPTIONS", "friendly-scanner"), "scanner"},
	{"svwar", svmap("REGISTER", "friendly-scanner"), "scanner"},
	{"svwar -m INVITE", svmap("INVITE", "friendly-scanner"), "scanner"},
	{"sipcli", begin("INVITE", "User-Agent: sipcli/v1.8\r\n"), "scanner"},
	{"pplsip", begin("REGISTER", "User-Agent: pplsip\r\nExpires: 3600\r\n"), "scanner"},
	{"OPTIONS", begin("OPTIONS", "User-Agent: Asterisk PBX 18\r\n"), ""},
	{"REGISTER", begin("REGISTER", "Expires: 3600\r\n"), ""},
	{"REGISTER with a password", begin("REGISTER", fmt.Sprintf(forged, "MD5")), ""},
	{"REGISTER with an unknown algorithm", begin("REGISTER", fmt.Sprintf(forged, "SHA-512-256")), ""},
	{"INVITE", begin("INVITE", "User-Agent: Cisco-SIPGateway/IOS-12.x\r\n"), ""},
	{"INVITE with an extension", begin("INVITE", "Require: 100rel, foo\r\n"), ""},
	{"SUBSCRIBE", begin("SUBSCRIBE", "Event: presence\r\nExpires: 600\r\n"), ""},
	{"MESSAGE", begin("MESSAGE", ""), ""},
	{"a method that nobody knows", begin("BREW", ""), ""},
	{"OPTIONS without hops", begin("OPTIONS", "Max-Forwards: 0\r\n"), ""},
	{"INVITE without hops", begin("INVITE", "Max-Forwards: 0\r\n"), ""},
	{"BYE of no call", stray("BYE", ""), ""},
	{"INVITE of no call", stray("INVITE", ""), ""},
	{"NOTIFY of no call", stray("NOTIFY", "Event: talk\r\n"), ""},
	{"CANCEL of nothing", begin("CANCEL", ""), ""},
	{"ACK of nothing", stray("ACK", ""), "stray"},
	{"a response", func(n int, _ netip.AddrPort) string {
		return fmt.Sprintf("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP %[2]s:5060;branch=z9hG4bK%[1]x\r\nFrom: <sip:a@a.test>;tag=a\r\nTo: <sip:b@b.test>;tag=b%[1]d\r\n"+
			"Call-ID: %[1]x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n", n, inside)
	}, "stray"},
	{"no Call-ID", func(n int, from netip.AddrPort) string {
		return fmt.Sprintf("INVITE sip:a@b.test SIP/2.0\r\nVia: SIP/2.0/UDP %v;branch=z9hG4bK%x\r\nFrom: <sip:a@a.test>;tag=a\r\nTo: <sip:b@b.test>\r\nCSeq: 1 INVITE\r\n\r\n", from, n)
	}, "parse"},
	{"garbage", func(n int, _ netip.AddrPort) string { return strings.Repeat(strconv.Itoa(n)+"\xff\x80;=", 20) }, "parse"},
	{"STUN", func(n int, _ netip.AddrPort) string {
		b := binary.BigEndian.AppendUint32([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0}, uint32(n))
		return string(b)
	}, ""},
}

// source is the n-th address of a flood: each n has another one, spread over all networks but those of the test and
// those that no packet may come from.
func source(n int) netip.AddrPort {
	// Odd multiples walk through all 2^24 hosts before one comes again; a network is of the first 200 from 11 on.
	host := uint32(n) * 0x9e3779b1 & 0xffffff
	first := 11 + byte(n%200)
	for first == 127 || first == 198 {
		first++
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{first, byte(host >> 16), byte(host >> 8), byte(host)}), uint16(1024+n%60000))
}

// spoofer sends datagrams from addresses that are not its own.
type spoofer struct {
	fd     int
	target netip.AddrPort
	pid    int // of the process that reads them

	packet []byte
	octets int // sent so far, headers included
}

func newSpoofer(target netip.AddrPort, pid int) (*spoofer, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return nil, fmt.Errorf("opening a raw socket: %w", err)
	}
	return &spoofer{fd: fd, target: target, pid: pid}, nil
}

func (s *spoofer) close() { _ = unix.Close(s.fd) }

// send sends one datagram. The kernel adds the length and checksum of the IP header (raw(7)); none over UDP is needed.
func (s *spoofer) send(from netip.AddrPort, text string) error {
	const ip, udp = 20, 8
	b := append(s.packet[:0], 0x45, 0, 0, 0, 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0)
	b = append(b, from.Addr().AsSlice()...)
	b = append(b, s.target.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, s.target.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(udp+len(text)))
	b = append(append(b, 0, 0), text...)
	s.packet, s.octets = b, s.octets+ip+udp+len(text)
	for {
		if err := unix.Sendto(s.fd, b, 0, &unix.SockaddrInet4{Addr: s.target.Addr().As4()}); err != unix.EINTR {
			return err
		}
	}
}

const (
	together = 64        // datagrams between two looks at the reader's queue
	waiting  = 256 << 10 // octets that may wait there: always some, never more than there is room for
)

// flood sends the datagrams from up to to, as fast as the process reads them: none is lost, and there is always one to
// be read.
func (s *spoofer) flood(from, to int) error {
	for n := from; n < to; n++ {
		if n%together == 0 {
			for {
				queued, _, err := s.queue()
				if err != nil {
					return err
				}
				if queued < waiting {
					break
				}
				time.Sleep(200 * time.Microsecond)
			}
		}
		who := source(n)
		if err := s.send(who, shapes[n%len(shapes)].text(n, who)); err != nil {
			return fmt.Errorf("sending datagram %d from %v: %w", n, who, err)
		}
	}
	return nil
}

// queue is what waits at the process's socket in octets, and how many datagrams the kernel has dropped there.
func (s *spoofer) queue() (octets, dropped int, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", s.pid))
	if err != nil {
		return 0, 0, err
	}
	a := s.target.Addr().As4()
	local := fmt.Sprintf("%08X:%04X", binary.LittleEndian.Uint32(a[:]), s.target.Port())
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 13 || f[1] != local {
			continue
		}
		_, rx, _ := strings.Cut(f[4], ":")
		if _, err := fmt.Sscanf(rx+" "+f[12], "%x %d", &octets, &dropped); err != nil {
			return 0, 0, fmt.Errorf("reading %q: %w", line, err)
		}
	}
	return octets, dropped, nil
}

const (
	worldProxy = "198.51.100.1"
	worldOwn   = "198.51.100.254"
)

// newWorld makes a namespace that is everybody whom the site in that one does not know: it sees every answer, whoever
// it is for, and none comes further.
func newWorld(t *testing.T, site string) string {
	t.Helper()
	name := fmt.Sprintf("st-world-%d", os.Getpid())
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	for _, line := range []string{
		"netns add " + name,
		"-n " + name + " link add in type veth peer name world netns " + site,
		"-n " + name + " addr add " + worldOwn + "/24 dev in", "-n " + name + " link set in up",
		"-n " + site + " addr add " + worldProxy + "/24 dev world", "-n " + site + " link set world up",
		"-n " + site + " route add default via " + worldOwn,
		"-n " + name + " route add " + inside + " via " + worldProxy,
	} {
		run(t, "ip "+line)
	}
	return name
}

// lines is the length of the log, besides what it says of calls.
func (f *flooded) lines() int {
	all := f.proxy.out.String()
	return strings.Count(all, "\n") - strings.Count(all, " call=")
}

// heard is how many octets the world has been sent, from the IP header on, as the spoofer counts them.
func (f *flooded) heard() float64 {
	f.t.Helper()
	const ethernet = 14
	const of = "/sys/class/net/in/statistics/"
	out, err := exec.Command("ip", "netns", "exec", f.world, "cat", of+"rx_bytes", of+"rx_packets").Output()
	if err != nil {
		f.t.Fatal(err)
	}
	var octets, frames float64
	if _, err := fmt.Sscan(string(out), &octets, &frames); err != nil {
		f.t.Fatal(err)
	}
	return octets - ethernet*frames
}
