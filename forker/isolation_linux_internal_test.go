//go:build linux && (amd64 || arm64)

package forker

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// What has piled up for one call does not keep another call's packet waiting: of
// a socket only a few are read before the next has its turn.
func TestBurstWaitsItsTurn(t *testing.T) {
	lo := netip.MustParseAddr("127.0.0.1")
	e, err := New(Config{Listen: lo, PortMin: 19000, PortMax: 19031, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	socket := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	at := func(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }
	callee := socket() // of both calls, so that it sees in which order packets come
	var callers [2]*net.UDPConn
	var ports [2]netip.AddrPort
	for i := range callers {
		callers[i] = socket()
		r := e.Open()
		if err := r.SetStreams(1); err != nil {
			t.Fatal(err)
		}
		r.SetRemote(SideA, 0, Remote{RTP: at(callers[i]), Sends: true, RTPKind: true})
		r.SetRemote(SideB, 0, Remote{RTP: at(callee), Sends: true, RTPKind: true})
		ports[i], _ = r.Local(SideA, 0)
	}
	w := e.driver.(*epollDriver).workers[0]
	goOn, busy := make(chan struct{}), make(chan struct{})
	w.post(func() { busy <- struct{}{}; <-goOn })
	<-busy
	const piled = 50
	packet := make([]byte, 172)
	packet[0] = 0x80
	for i := range piled {
		packet[3] = byte(i)
		if _, err := callers[0].WriteToUDPAddrPort(packet, ports[0]); err != nil {
			t.Fatal(err)
		}
	}
	packet[11] = 1 // another SSRC: the other call
	if _, err := callers[1].WriteToUDPAddrPort(packet, ports[1]); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := callee.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for before := 0; ; before++ {
		n, err := callee.Read(packet)
		if err != nil || n != 172 {
			t.Fatalf("after %d packets: %d octets, %v", before, n, err)
		}
		if packet[11] == 1 {
			if before > piled/3 {
				t.Errorf("%d packets of a burst of %d went before", before, piled)
			}
			return
		}
	}
}
