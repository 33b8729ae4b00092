//go:build linux && (amd64 || arm64)

package forker

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// twinned is a relay whose port towards the callee has a twin.
type twinned struct {
	t              *testing.T
	engine         *Engine
	relay          *Relay
	caller, callee *net.UDPConn
	toA, toB       netip.AddrPort // our ports
	number         byte
}

func newTwinned(t *testing.T, ports int) *twinned {
	t.Helper()
	lo := netip.MustParseAddr("127.0.0.1")
	e, err := New(Config{Listen: lo, PortMin: ports, PortMax: ports + 31, Drain: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	w := &twinned{t: t, engine: e, relay: e.Open(), caller: hear(t, "127.0.0.2:0"), callee: hear(t, "127.0.0.3:0")}
	w.begin()
	w.pass(w.caller, w.toA, w.callee) // the first opens the lane
	w.relay.mu.Mutex.Lock()
	defer w.relay.mu.Mutex.Unlock()
	if w.towardsCallee().twin == nil {
		t.Fatal("there is no twin")
	}
	return w
}

// begin has the call relay.
func (w *twinned) begin() {
	if err := w.relay.SetStreams(1); err != nil {
		w.t.Fatal(err)
	}
	w.relay.SetRemote(SideA, 0, Remote{RTP: addrOf(w.caller), Sends: true, RTPKind: true})
	w.relay.SetRemote(SideB, 0, Remote{RTP: addrOf(w.callee), Sends: true, RTPKind: true})
	w.toA, _ = w.relay.Local(SideA, 0)
	w.toB, _ = w.relay.Local(SideB, 0)
}

func (w *twinned) towardsCallee() *epollSocket {
	return w.relay.streams[0].legs[SideB].pair.rtp.(*epollSocket)
}

// pass sends a packet and awaits it at the other end, from the port it is to come from.
func (w *twinned) pass(from *net.UDPConn, to netip.AddrPort, at *net.UDPConn) {
	w.t.Helper()
	w.number++
	if _, err := from.WriteToUDPAddrPort([]byte{0x80, 0, 0, w.number, 0, 0, 0, w.number, 0, 0, 0, 1, w.number}, to); err != nil {
		w.t.Fatal(err)
	}
	b := make([]byte, 100)
	if err := at.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		w.t.Fatal(err)
	}
	n, via, err := at.ReadFromUDPAddrPort(b)
	want := w.toB
	if at == w.caller {
		want = w.toA
	}
	if err != nil || b[n-1] != w.number || via != want {
		w.t.Fatalf("packet %d: %v from %v, %v", w.number, b[:n], via, err)
	}
}

// Strangers are seen, counted and refused as without a twin, and what the party
// sends comes through, from either socket.
func TestTwinHidesNobody(t *testing.T) {
	w := newTwinned(t, 19100)
	w.pass(w.callee, w.toB, w.caller)
	w.pass(w.caller, w.toA, w.callee)
	stranger := hear(t, "127.0.0.66:0")
	if _, err := stranger.WriteToUDPAddrPort([]byte("0123456789abcdef"), w.toB); err != nil {
		t.Fatal(err)
	}
	await(t, "the stranger is counted", func() bool { return w.relay.Stats().Streams[0].Flows[BA].Strangers == 1 })
	w.pass(w.callee, w.toB, w.caller)
	for range 3 {
		w.pass(w.caller, w.toA, w.callee)
	}
}

// The twin goes with the party.
func TestTwinFollowsTheParty(t *testing.T) {
	w := newTwinned(t, 19140)
	first := w.callee
	w.callee = hear(t, "127.0.0.4:0")
	w.relay.SetRemote(SideB, 0, Remote{RTP: addrOf(w.callee), Sends: true, RTPKind: true})
	for range 4 {
		w.pass(w.caller, w.toA, w.callee)
		w.pass(w.callee, w.toB, w.caller)
	}
	before := w.relay.Stats().Streams[0].Flows[BA].Strangers
	if _, err := first.WriteToUDPAddrPort([]byte("0123456789abcdef"), w.toB); err != nil {
		t.Fatal(err)
	}
	await(t, "who was here before is a stranger", func() bool { return w.relay.Stats().Streams[0].Flows[BA].Strangers == before+1 })
}

// A party whose port is closed for a while (ICMP) gets everything once it is open.
func TestTwinOutlivesUnreachable(t *testing.T) {
	w := newTwinned(t, 19180)
	at := addrOf(w.callee)
	w.callee.Close()
	for range 3 {
		w.number++
		if _, err := w.caller.WriteToUDPAddrPort([]byte{0x80, 0, 0, w.number, 0, 0, 0, w.number, 0, 0, 0, 1}, w.toA); err != nil {
			t.Fatal(err)
		}
		want := uint64(w.number)
		await(t, "it is passed on", func() bool { return w.relay.Stats().Streams[0].Flows[AB].Packets == want })
	}
	w.callee = hear(t, at.String())
	for range 3 {
		w.pass(w.caller, w.toA, w.callee)
	}
}

// Nobody may bind the port beside us, and all of it goes when the call does.
func TestTwinSharesWithNobody(t *testing.T) {
	w := newTwinned(t, 19220)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	at := &unix.SockaddrInet4{Port: int(w.toB.Port()), Addr: w.toB.Addr().As4()}
	if err := unix.Bind(fd, at); err != syscall.EADDRINUSE {
		t.Errorf("another socket on our port: %v", err)
	}
	w.relay.Close()
	await(t, "the ports are given back", func() bool { return w.engine.Ports().Draining == 0 })
	if err := unix.Bind(fd, at); err != nil {
		t.Errorf("the port is held by a twin: %v", err)
	}
}

// A copy whose socket the kernel would not connect has no twin: nobody handles what comes to it.
func TestCopyHasNoTwin(t *testing.T) {
	w := newTwinned(t, 19340)
	srs := hear(t, "127.0.0.7:0")
	tap, err := w.relay.Fork(0, AB, TapConfig{Label: "1"})
	if err != nil {
		t.Fatal(err)
	}
	tap.SendTo(addrOf(srs), netip.AddrPort{}, map[uint8]uint8{0: 0})
	w.relay.mu.Lock()
	tap.loose = true // as after an error of connect
	err = tap.pair.rtp.connect(netip.AddrPort{})
	w.relay.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	copied := func() {
		t.Helper()
		w.pass(w.caller, w.toA, w.callee)
		if err := srs.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if n, err := srs.Read(make([]byte, 100)); n != 13 || err != nil {
			t.Fatalf("%d octets, %v", n, err)
		}
	}
	copied() // opens the lane
	copied()
	w.relay.mu.Mutex.Lock()
	lane, twin := w.relay.mu.lanes, tap.pair.rtp.(*epollSocket).twin
	w.relay.mu.Mutex.Unlock()
	if lane == nil || twin != nil {
		t.Fatalf("lane %v, twin %v", lane, twin)
	}
	own, _ := tap.Local()
	if _, err := srs.WriteToUDPAddrPort([]byte("keep alive"), own); err != nil {
		t.Fatal(err)
	}
	copied()
}

// What the party has sent before its twin was connected goes on before what it sends afterwards.
func TestTwinKeepsTheOrder(t *testing.T) {
	w := newTwinned(t, 19260)
	w.pass(w.callee, w.toB, w.caller)
	const early, all = 20, 25
	done := make(chan struct{})
	w.engine.driver.(*epollDriver).workers[w.relay.worker].post(func() { // while nothing is read
		defer close(done)
		w.relay.mu.Mutex.Lock()
		defer w.relay.mu.Mutex.Unlock()
		s := w.towardsCallee()
		s.follow(netip.MustParseAddrPort("127.0.0.5:9"))
		for n := range byte(all) {
			if n == early {
				s.follow(addrOf(w.callee))
			}
			if _, err := w.callee.WriteToUDPAddrPort([]byte{0x80, 0, 1, n, 0, 0, 0, n, 0, 0, 0, 1, n}, w.toB); err != nil {
				t.Error(err)
			}
		}
	})
	<-done
	b := make([]byte, 100)
	if err := w.caller.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for n := range byte(all) {
		if size, err := w.caller.Read(b); err != nil || b[size-1] != n {
			t.Fatalf("number %d came as %v, %v", n, b[:size], err)
		}
	}
}
