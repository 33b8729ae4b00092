package forker_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sidetrack/forker"
)

const patience = time.Minute

var (
	usHost     = netip.MustParseAddr("127.0.0.1")
	callerHost = "127.0.0.2"
	calleeHost = "127.0.0.3"
	natHost    = "127.0.0.4"
	evilHost   = "127.0.0.66"
	srsHost    = "127.0.0.7"
)

// nextRange gives each engine of a test binary ports of its own, so that one
// test's leavings never meet another; below what the kernel gives to port 0, and
// apart from the ranges of the other packages' tests.
var nextRange atomic.Int32

func portRange(pairs int) (lo, hi int) {
	hi32 := nextRange.Add(int32(2 * pairs))
	lo = 12000 + (int(hi32)-2*pairs)%5000
	return lo, lo + 2*pairs - 1
}

// drivers runs a test on both drivers.
func drivers(t *testing.T, f func(t *testing.T, cfg forker.Config)) {
	t.Helper()
	for name, portable := range map[string]bool{"native": false, "portable": true} {
		t.Run(name, func(t *testing.T) {
			lo, hi := portRange(16)
			f(t, forker.Config{
				Listen: usHost, PortMin: lo, PortMax: hi, Drain: 40 * time.Millisecond, Portable: portable,
			})
		})
	}
}

func newEngine(t testing.TB, cfg forker.Config) *forker.Engine {
	t.Helper()
	e, err := forker.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return e
}

// openRelay opens a relay with one stream.
func openRelay(t testing.TB, e *forker.Engine) *forker.Relay {
	t.Helper()
	r := e.Open()
	if err := r.SetStreams(1); err != nil {
		t.Fatalf("SetStreams: %v", err)
	}
	return r
}

// peer is a party's or recorder's socket.
type peer struct {
	t    testing.TB
	conn *net.UDPConn
	buf  []byte
}

func newPeer(t testing.TB, host string) *peer {
	t.Helper()
	return newPeerAt(t, host+":0")
}

func newPeerAt(t testing.TB, addr string) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatalf("listening on %s: %v", addr, err)
	}
	if err := conn.SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &peer{t: t, conn: conn, buf: make([]byte, 65536)}
}

func (p *peer) addr() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p *peer) send(to netip.AddrPort, b []byte) {
	p.t.Helper()
	if _, err := p.conn.WriteToUDPAddrPort(b, to); err != nil && !refused(err) {
		p.t.Fatalf("sending to %v: %v", to, err)
	}
}

func refused(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// recv waits for the next datagram.
func (p *peer) recv() ([]byte, netip.AddrPort) {
	p.t.Helper()
	b, from, ok := p.tryRecv(patience)
	if !ok {
		p.t.Fatalf("%v: nothing arrived", p.addr())
	}
	return b, from
}

func (p *peer) tryRecv(wait time.Duration) ([]byte, netip.AddrPort, bool) {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		p.t.Fatal(err)
	}
	n, from, err := p.conn.ReadFromUDPAddrPort(p.buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		n, from, err = p.waiting()
	}
	if err != nil {
		return nil, netip.AddrPort{}, false
	}
	return bytes.Clone(p.buf[:n]), from, true
}

// waiting takes what has come already: on a busy machine the time of a read may be over
// before it has begun, and Go then does not look.
func (p *peer) waiting() (n int, from netip.AddrPort, err error) {
	if err := p.conn.SetReadDeadline(time.Time{}); err != nil {
		return 0, from, err
	}
	raw, err := p.conn.SyscallConn()
	if err != nil {
		return 0, from, err
	}
	var sa unix.Sockaddr
	if outer := raw.Read(func(fd uintptr) bool {
		n, sa, err = unix.Recvfrom(int(fd), p.buf, unix.MSG_DONTWAIT)
		return true
	}); outer != nil {
		return 0, from, outer
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		from = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		from = netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return n, from, err
}

func (p *peer) want(b []byte) {
	p.t.Helper()
	if got, from := p.recv(); !bytes.Equal(got, b) {
		p.t.Fatalf("%v got % x from %v, want % x", p.addr(), got, from, b)
	}
}

// silent fails when something is waiting now. Call it after a later packet on
// the same way has been seen or counted, so that nothing is still under way.
func (p *peer) silent() {
	p.t.Helper()
	if b, from, ok := p.tryRecv(time.Millisecond); ok {
		p.t.Fatalf("%v got % x from %v, want nothing", p.addr(), b, from)
	}
}

// rtp builds a packet whose payload names it.
func rtp(pt uint8, seq uint16, ts, ssrc uint32) []byte {
	b := make([]byte, 12+16)
	b[0], b[1] = 0x80, pt
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	copy(b[12:], "payload")
	binary.BigEndian.PutUint16(b[20:], seq)
	return b
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// call is a relay whose two parties are known.
type call struct {
	relay          *forker.Relay
	caller, callee *peer
	toA, toB       netip.AddrPort // our ports towards caller and callee
}

func newCall(t testing.TB, e *forker.Engine) *call {
	t.Helper()
	c := &call{relay: openRelay(t, e), caller: newPeer(t, callerHost), callee: newPeer(t, calleeHost)}
	c.toA, _ = c.relay.Local(forker.SideA, 0)
	c.toB, _ = c.relay.Local(forker.SideB, 0)
	c.relay.SetRemote(forker.SideA, 0, audio(c.caller.addr()))
	c.relay.SetRemote(forker.SideB, 0, audio(c.callee.addr()))
	return c
}

func audio(a netip.AddrPort) forker.Remote {
	return forker.Remote{RTP: a, Sends: true, RTPKind: true}
}

func (c *call) flow(f forker.Flow) forker.FlowStats { return c.relay.Stats().Streams[0].Flows[f] }

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	return len(entries)
}
