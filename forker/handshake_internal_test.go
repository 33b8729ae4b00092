package forker

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"sidetrack/internal/dtls"
)

// Where too many handshakes are under way those that we begin wait until there is room, in their order, and those of
// calls that have ended meanwhile are left out.
func TestHandshakesWaitTheirTurn(t *testing.T) {
	identity, err := dtls.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	lo := netip.MustParseAddr("127.0.0.1")
	e, err := New(Config{Listen: lo, PortMin: 17800, PortMax: 17899})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	e.gate.room = 1
	var parties [3]*net.UDPConn // silent ones
	var relays [3]*Relay
	for i := range parties {
		if parties[i], err = net.ListenUDP("udp", &net.UDPAddr{IP: lo.AsSlice()}); err != nil {
			t.Fatal(err)
		}
		defer parties[i].Close()
		relays[i] = e.Open()
		if err := relays[i].SetStreams(1); err != nil {
			t.Fatal(err)
		}
		relays[i].SetRemote(SideA, 0, Remote{
			RTP: parties[i].LocalAddr().(*net.UDPAddr).AddrPort(), Sends: true, RTPKind: true, Ended: true, Secure: true,
			DTLS: &dtls.Peer{Identity: identity, Client: true, Fingerprints: []string{identity.Fingerprint}},
		})
	}
	asked := func(i int) {
		t.Helper()
		b := make([]byte, 2048)
		_ = parties[i].SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, err := parties[i].Read(b); err != nil || !dtls.Is(b[:n]) {
			t.Fatalf("party %d got % x, %v", i, b[:min(n, 20)], err)
		}
	}
	asked(0)
	relays[1].Close()
	relays[0].Close() // makes room
	asked(2)
	if relays[1].streams[0].legs[SideA].ended.dtls.attempts != 0 {
		t.Error("the handshake of a call that has ended was begun")
	}
	relays[2].Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		e.gate.mu.Lock()
		room, waiting := e.gate.room, len(e.gate.waiting)
		e.gate.mu.Unlock()
		if room == 1 && waiting == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("room for %d at the end, %d wait", room, waiting)
		}
	}
}
