package peer

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Vanish has the kernel refuse by ICMP whatever comes to the peer's UDP socket, as if its program were being started
// anew; nobody else gets the port meanwhile.
func (p *Peer) Vanish() {
	p.t.Helper()
	p.hearOnly(netip.MustParseAddrPort("127.0.0.1:9")) // discard: from there nothing comes
}

// Return ends Vanish for what comes from one address.
func (p *Peer) Return(from netip.AddrPort) {
	p.t.Helper()
	p.hearOnly(from)
}

func (p *Peer) hearOnly(from netip.AddrPort) {
	p.t.Helper()
	raw, err := p.udp.SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	var failed error
	if err = raw.Control(func(fd uintptr) {
		failed = unix.Connect(int(fd), &unix.SockaddrInet4{Port: int(from.Port()), Addr: from.Addr().As4()})
	}); err != nil || failed != nil {
		p.t.Fatalf("connecting the socket of %s: %v %v", p.Name, err, failed)
	}
}
