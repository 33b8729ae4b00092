//go:build interop

package interop_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sidetrack/tests/peer"
)

// run runs a command that makes networks.
func run(t *testing.T, line string) {
	t.Helper()
	f := strings.Fields(line)
	if out, err := exec.Command(f[0], f[1:]...).CombinedOutput(); err != nil {
		unable(t, "%s: %v %s", line, err, out)
	}
}

// init keeps the process's first thread out of within: what is in /proc of the process is that thread's, its network
// namespace, too.
func init() { runtime.LockOSThread() }

// within calls f on a thread that lives in a network namespace: sockets that it makes stay there.
func within(t *testing.T, namespace string, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		fd, err := os.Open("/run/netns/" + namespace)
		if err == nil {
			err = unix.Setns(int(fd.Fd()), unix.CLONE_NEWNET)
			fd.Close()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		unable(t, "entering %s: %v", namespace, err)
	}
}

// nated is a phone behind a NAT of its own.
type nated struct {
	t       *testing.T
	name    string
	ns      string
	peer    *peer.Peer
	media   *peer.Media
	contact string // what the PBX knows it by
}

const (
	natProxyOut = "198.51.100.1"
	natProxyIn  = "10.20.0.1"
	natPBX      = "10.20.0.20"
	natPhone    = "192.168.1.10" // of both phones: each has a network of its own
)

var (
	natOut = netip.MustParseAddrPort(natProxyOut + ":5060")
	natIn  = netip.MustParseAddrPort(natProxyIn + ":5060")
)

// natNetworks makes a namespace with the proxy and the PBX, and two sites behind routers that translate addresses: one
// keeps ports, the other one gives each destination another port. It returns the namespaces.
func natNetworks(t *testing.T) (core string, phones [2]string) {
	t.Helper()
	id := os.Getpid() % 10000
	core = fmt.Sprintf("st-core-%d", id)
	names := []string{core}
	t.Cleanup(func() {
		for _, n := range names {
			_ = exec.Command("ip", "netns", "del", n).Run()
		}
	})
	run(t, "ip netns add "+core)
	run(t, "ip -n "+core+" link set lo up")
	run(t, "ip -n "+core+" link add out type bridge")
	run(t, "ip -n "+core+" addr add "+natProxyOut+"/24 dev out")
	run(t, "ip -n "+core+" link set out up")
	run(t, "ip -n "+core+" link add in type bridge")
	run(t, "ip -n "+core+" addr add "+natProxyIn+"/24 dev in")
	run(t, "ip -n "+core+" addr add "+natPBX+"/24 dev in")
	run(t, "ip -n "+core+" link set in up")
	for i, how := range []string{"masquerade", "masquerade fully-random"} {
		router, phone := fmt.Sprintf("st-nat%d-%d", i, id), fmt.Sprintf("st-phone%d-%d", i, id)
		names, phones[i] = append(names, router, phone), phone
		run(t, "ip netns add "+router)
		run(t, "ip netns add "+phone)
		run(t, fmt.Sprintf("ip -n %s link add wan type veth peer name r%d netns %s", router, i, core))
		run(t, fmt.Sprintf("ip -n %s link set r%d master out up", core, i))
		run(t, fmt.Sprintf("ip -n %s addr add 198.51.100.1%d/24 dev wan", router, i+1))
		run(t, "ip -n "+router+" link set wan up")
		run(t, "ip -n "+router+" link add lan type veth peer name eth netns "+phone)
		run(t, "ip -n "+router+" addr add 192.168.1.1/24 dev lan")
		run(t, "ip -n "+router+" link set lan up")
		run(t, "ip -n "+phone+" addr add "+natPhone+"/24 dev eth")
		run(t, "ip -n "+phone+" link set eth up")
		run(t, "ip -n "+phone+" link set lo up")
		run(t, "ip -n "+phone+" route add default via 192.168.1.1")
		run(t, "ip netns exec "+router+" sysctl -qw net.ipv4.ip_forward=1")
		run(t, "ip netns exec "+router+" nft add table ip nat")
		run(t, "ip netns exec "+router+" nft add chain ip nat out { type nat hook postrouting priority 100 ; }")
		run(t, "ip netns exec "+router+" nft add rule ip nat out oifname wan "+how)
		run(t, "ip netns exec "+router+" nft add table ip wall") // nothing comes in that was not asked for
		run(t, "ip netns exec "+router+" nft add chain ip wall in { type filter hook forward priority 0 ; policy drop ; }")
		run(t, "ip netns exec "+router+" nft add rule ip wall in iifname lan accept")
		run(t, "ip netns exec "+router+" nft add rule ip wall in ct state established,related accept")
	}
	return core, phones
}

// Two phones with the same private address, each behind a NAT that maps in its own way, register and call through the
// proxy's outer socket at a PBX on the inner one, and are called by it: signalling and audio reach them where they send
// from, and either side is shown addresses of the proxy that it can reach.
func TestPhonesBehindNATs(t *testing.T) {
	root(t)
	need(t, "ip", "nft", "sysctl")
	core, spaces := natNetworks(t)
	ladder := peer.NewLadder(t)
	var pbx *peer.Peer
	var desk *peer.Media
	within(t, core, func() {
		pbx = peer.New(t, ladder, "pbx", natPBX, "udp")
		desk = peer.NewMedia(t, natPBX, "nat", "desk")
	})
	file := filepath.Join(t.TempDir(), "sidetrack.yaml")
	config := fmt.Sprintf(`sip:
  listen:
    - {url: "udp://%[1]s:5060", trusted: [198.51.100.0/24]}
    - {url: "udp://%[2]s:5060", trusted: [%[3]s]}
  drain: 0s
routes: [{name: pbx, to: %[4]q, network: inside}]
media:
  listen: %[1]s
  ports: 20000-20199
  networks:
    inside: {listen: %[2]s, ports: 20200-20399, listeners: ["udp://%[2]s:5060"]}
http: {listen: "127.0.0.1:8080"}
`, natProxyOut, natProxyIn, natPBX, pbx.URI(""))
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "sidetrack", core, program(t), "serve", "--config", file)
	if !eventually(patience, func() bool {
		return exec.Command("ip", "netns", "exec", core, "sh", "-c", "ss -Hlun | grep -q "+natProxyIn+":5060").Run() == nil
	}) {
		t.Fatal("the proxy does not listen")
	}
	for i, space := range spaces {
		p := &nated{t: t, name: fmt.Sprintf("phone%d", i), ns: space}
		within(t, space, func() {
			p.peer = peer.New(t, ladder, p.name, natPhone, "udp")
			p.media = peer.NewMedia(t, natPhone, "nat", p.name)
		})
		p.register(pbx)
		p.calls(pbx, desk)
		p.isCalled(pbx, desk)
	}
}

// register has the phone register; its own Contact comes back to it, the PBX gets one of the proxy's inner socket.
func (p *nated) register(pbx *peer.Peer) {
	p.t.Helper()
	aor := "sip:" + p.name + "@pbx.test"
	out := p.peer.Start("REGISTER", natOut, peer.Call{URI: "sip:pbx.test", From: "<" + aor + ">", Opts: []peer.Opt{peer.With("To", "<"+aor+">"), peer.With("Expires", "600")}})
	in := pbx.Expect("REGISTER")
	p.contact = in.Get("Contact")
	if !strings.Contains(p.contact, "@"+natProxyIn+":5060") {
		p.t.Errorf("%s: the PBX is told Contact %s", p.name, p.contact)
	}
	in.Reply(200, peer.With("Contact", p.contact), peer.With("Expires", "600"))
	ok := out.Expect(200)
	if via := ok.Get("Via"); !strings.Contains(via, "received=198.51.100.1") || !strings.Contains(via, "rport=") {
		p.t.Errorf("%s: Via %s", p.name, via)
	}
	if got := ok.Get("Contact"); !strings.Contains(got, natPhone) {
		p.t.Errorf("%s: its own Contact came back as %s", p.name, got)
	}
}

// shows checks whose addresses a message bears: those of the proxy on that side.
func shows(t *testing.T, m *peer.Message, host string) {
	t.Helper()
	sdp := peer.ParseSDP(m.Body)
	if contact := m.Get("Contact"); !strings.Contains(contact, "@"+host+":5060") || len(sdp.Media) == 0 || sdp.Media[0].Addr().Addr().String() != host {
		t.Errorf("%s: Contact %s, SDP\n%s", m.Start, contact, m.Body)
	}
	if m.Status() == 0 && !strings.Contains(m.Get("Via"), host) {
		t.Errorf("%s: Via %s", m.Start, m.Get("Via"))
	}
}

// talk has both sides speak and hear each other.
func (p *nated) talk(desk *peer.Media, phoneTo, deskTo netip.AddrPort) {
	p.t.Helper()
	heard := [2]int{len(p.media.Packets()), len(desk.Packets())}
	p.media.Talk(phoneTo)
	desk.Talk(deskTo)
	desk.AwaitFrom(p.name, heard[1], 25)
	p.media.AwaitFrom("desk", heard[0], 25)
	p.media.Quiet()
	desk.Quiet()
}

// calls has the phone call the PBX, which puts it on hold and back, and ends the call.
func (p *nated) calls(pbx *peer.Peer, desk *peer.Media) {
	p.t.Helper()
	out := p.peer.Invite(natOut, peer.Call{URI: "sip:desk@pbx.test", SDP: peer.BuildSDP(1, peer.Line{Media: p.media})})
	in := pbx.Expect("INVITE")
	shows(p.t, in.Message, natProxyIn)
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: desk})))
	ok := out.Expect(200)
	shows(p.t, ok, natProxyOut)
	left, right := out.Dialog(ok), in.Dialog()
	left.Ack(ok)
	right.Expect("ACK")
	p.talk(desk, peer.ParseSDP(ok.Body).Media[0].Addr(), peer.ParseSDP(in.Body).Media[0].Addr())
	again := right.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: desk})))
	reinvite := left.Expect("INVITE") // though its Contact is a private address
	reinvite.Reply(200, peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: p.media})))
	right.Ack(again.Expect(200))
	left.Expect("ACK")
	bye := right.Send("BYE")
	left.AnswerBye()
	bye.Expect(200)
}

// isCalled has the PBX call the phone by its registration.
func (p *nated) isCalled(pbx *peer.Peer, desk *peer.Media) {
	p.t.Helper()
	out := pbx.Invite(natIn, peer.Call{URI: peer.URIOf(p.contact), SDP: peer.BuildSDP(1, peer.Line{Media: desk})})
	in := p.peer.Expect("INVITE")
	shows(p.t, in.Message, natProxyOut)
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: p.media})))
	ok := out.Expect(200)
	shows(p.t, ok, natProxyIn)
	right, left := out.Dialog(ok), in.Dialog()
	right.Ack(ok)
	left.Expect("ACK")
	p.talk(desk, peer.ParseSDP(in.Body).Media[0].Addr(), peer.ParseSDP(ok.Body).Media[0].Addr())
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
}
