package forker

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// sink is a socket that keeps what it is told to send.
type sink struct {
	sent, refused int
	cuts          int // sends of segments
	last          []byte
	err           []error // returned first, one per send
	each          func(b []byte)
}

func (s *sink) mark(int) error { return nil }

func (s *sink) attach(*route) error          { return nil }
func (s *sink) connect(netip.AddrPort) error { return nil }
func (s *sink) close(func())                 {}
func (s *sink) sendSegments(b []byte, size int, to netip.AddrPort) error {
	s.cuts++
	for ; len(b) > size; b = b[size:] {
		if err := s.send(b[:size], to); err != nil {
			return err
		}
	}
	return s.send(b, to)
}
func (s *sink) send(b []byte, _ netip.AddrPort) error {
	if s.each != nil {
		s.each(b)
	}
	if len(s.err) > 0 {
		err := s.err[0]
		s.err = s.err[1:]
		if err != nil {
			s.refused++
			return err
		}
	}
	s.sent++
	s.last = append(s.last[:0], b...)
	return nil
}

// rig is a relay without real sockets: the decisions of the packet path alone.
type rig struct {
	relay  *Relay
	caller *route
	out    *sink // towards the callee
	tap    *Tap
	copies *sink
	rtcp   *sink
	from   netip.AddrPort
	packet []byte
	now    int64
}

func newRig() *rig {
	g := &rig{out: &sink{}, copies: &sink{}, rtcp: &sink{}, now: 1, from: netip.MustParseAddrPort("192.0.2.1:4000")}
	g.relay = &Relay{engine: &Engine{base: time.Now()}}
	s := &stream{}
	s.legs[SideA] = leg{side: SideA, pair: &portPair{pool: &portPool{}, rtp: &sink{}, rtcp: &sink{}}}
	s.legs[SideB] = leg{side: SideB, pair: &portPair{pool: &portPool{}, rtp: g.out, rtcp: &sink{}}}
	g.relay.streams = []*stream{s}
	s.legs[SideA].set(Remote{RTP: g.from, Sends: true, RTPKind: true})
	s.legs[SideB].set(Remote{RTP: netip.MustParseAddrPort("192.0.2.2:4000"), Sends: true, RTPKind: true})
	g.caller = &route{relay: g.relay, from: &s.legs[SideA], to: &s.legs[SideB], flow: &s.flows[AB]}
	g.tap = &Tap{
		relay: g.relay, cfg: TapConfig{Label: "1", CNAME: "c"}, flow: &s.flows[AB], totals: &recorderTotals{}, ssrc: 9,
		pair: &portPair{rtp: g.copies, rtcp: g.rtcp}, rtp: netip.MustParseAddrPort("192.0.2.7:5000"), rtcp: netip.MustParseAddrPort("192.0.2.7:5001"),
	}
	s.flows[AB].taps = []*Tap{g.tap}
	g.relay.taps = s.flows[AB].taps
	g.packet = append([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, make([]byte, 160)...)
	return g
}

// step sends the next packet of the caller through, the long way, so that a test
// may look at everything, and change it.
func (g *rig) step() {
	g.short()
	g.relay.settle()
}

// short is step where a lane may take the packet.
func (g *rig) short() {
	g.now += 20e6
	n := uint32(g.now / 20e6)
	g.packet[1] &= 0x80 // the copy has overwritten it
	binary.BigEndian.PutUint16(g.packet[2:], uint16(n))
	binary.BigEndian.PutUint32(g.packet[4:], n*160)
	binary.BigEndian.PutUint32(g.packet[8:], 3)
	g.caller.handle(g.packet, g.from, g.now)
}

func TestPacketPathAllocatesNothing(t *testing.T) {
	g := newRig()
	for what, f := range map[string]func(){"long way": g.step, "lane": g.short} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%v allocations per packet on the %s", n, what)
		}
	}
	if g.out.sent == 0 || g.out.sent != g.copies.sent {
		t.Errorf("forwarded %d, copied %d", g.out.sent, g.copies.sent)
	}
}

// A full send buffer is a drop, counted, on either way; the other is not hurt.
func TestFullSendBuffer(t *testing.T) {
	g := newRig()
	g.out.err = []error{syscall.EAGAIN}
	g.copies.err = []error{nil, syscall.EAGAIN, syscall.EPERM}
	for range 4 {
		g.step()
	}
	if c := g.caller.flow.counts; c.failures != 1 || c.packets != 4 {
		t.Errorf("flow: %+v", c)
	}
	if d := g.tap.counts.dropped; d[DropWouldBlock] != 1 || d[DropError] != 1 || g.tap.counts.copied != 2 {
		t.Errorf("tap: %+v", g.tap.counts)
	}
	if got := binary.BigEndian.Uint16(g.copies.last[2:]) - uint16(g.tap.nums.high); got != 0 {
		t.Errorf("a drop must show as a loss: %d", got)
	}
}

// A fault on the packet path costs one datagram and is told once.
func TestPanicIsContained(t *testing.T) {
	var log bytes.Buffer
	g := newRig()
	g.relay.engine.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	tap := g.tap.pair
	g.tap.pair = nil
	g.step()
	g.step()
	g.tap.pair = tap
	g.step()
	if g.out.sent != 3 || g.copies.sent != 1 {
		t.Errorf("forwarded %d, copied %d", g.out.sent, g.copies.sent)
	}
	if n := strings.Count(log.String(), "panic="); n != 1 {
		t.Errorf("%d lines: %s", n, log.String())
	}
}

// An ICMP error tells of an earlier copy: the one at hand is sent all the same.
func TestUnreachableIsRetriedOnce(t *testing.T) {
	g := newRig()
	g.copies.err = []error{syscall.ECONNREFUSED, nil, syscall.ECONNREFUSED, syscall.ECONNREFUSED}
	g.step()
	g.step()
	if c := g.tap.counts; c.copied != 1 || c.unreachable != 2 || c.dropped[DropUnreachable] != 1 {
		t.Errorf("%+v", c)
	}
}

// A link on the way that takes less than was sent is told of with a later packet, which is sent all the same. A packet that
// cannot be sent at all is a drop, counted, and hurts neither the next one nor the other way.
func TestTooLargeForTheWay(t *testing.T) {
	for name, step := range map[string]func(*rig){"long way": (*rig).step, "lane": (*rig).short} {
		g := newRig()
		step(g)
		step(g)
		g.copies.err = []error{syscall.EMSGSIZE, nil, syscall.EMSGSIZE, syscall.EMSGSIZE}
		for range 3 {
			step(g)
		}
		g.relay.settle()
		if c := g.tap.counts; c.copied != 4 || c.dropped[DropError] != 1 || c.dropped.Total() != 1 || c.unreachable != 0 || g.out.sent != 5 {
			t.Errorf("%s: %+v, %d relayed", name, c, g.out.sent)
		}
		g.out.err = []error{syscall.EMSGSIZE, syscall.EMSGSIZE}
		for range 3 {
			step(g)
		}
		g.relay.settle()
		if c := g.caller.flow.counts; c.packets != 8 || c.failures == 0 || g.out.sent+int(c.failures) != 8 || g.copies.sent != 7 {
			t.Errorf("%s: %+v, %d relayed, %d copied", name, c, g.out.sent, g.copies.sent)
		}
	}
	g := newRig()
	for range 2 {
		g.short()
	}
	g.out.err = []error{syscall.EMSGSIZE}
	g.short()
	g.relay.settle()
	if c := g.caller.flow.counts; c.failures != 0 || g.out.sent != 3 {
		t.Errorf("to a party: %+v, %d relayed", c, g.out.sent)
	}
}

// Reports come at RFC 3550 intervals: SR while sending, RR when not, none
// before the first copy; the SR's pair of times is that of the copy's clock.
func TestReportSchedule(t *testing.T) {
	g := newRig()
	g.tap.sendReports(g.now + int64(time.Hour))
	if g.rtcp.sent != 0 {
		t.Fatal("reported before anything was copied")
	}
	g.step()
	if wait := time.Duration(g.tap.reports.due - g.now); wait < 1020*time.Millisecond || wait > 3080*time.Millisecond {
		t.Errorf("first report after %v", wait)
	}
	half := g.now + int64(500*time.Millisecond)
	g.tap.reports.due = half
	g.tap.sendReports(half)
	if wait := time.Duration(g.tap.reports.due - half); wait < 2050*time.Millisecond || wait > 6160*time.Millisecond {
		t.Errorf("next report after %v", wait)
	}
	sr := firstReport(t, g.rtcp.last).(*rtcp.SenderReport)
	if off := int32(g.mediaTime(sr, half, 8000) - binary.BigEndian.Uint32(g.copies.last[4:]) - 4000); off < -1 || off > 1 || sr.PacketCount != 1 || sr.OctetCount != 160 {
		t.Errorf("%v, %d ticks off", sr, off)
	}
	g.tap.sendReports(half) // not due
	g.tap.sendReports(g.tap.reports.due)
	if g.rtcp.sent != 2 {
		t.Errorf("%d reports", g.rtcp.sent)
	}
	if _, ok := firstReport(t, g.rtcp.last).(*rtcp.ReceiverReport); !ok {
		t.Error("a source that did not send reports as a sender")
	}
}

// mediaTime is the media time at an instant of the rig by what a report says of its NTP time: whenever it was
// due, both of its times are those of its making.
func (g *rig) mediaTime(sr *rtcp.SenderReport, at, clock int64) uint32 {
	fraction := (sr.NTPTime & 0xffffffff) * uint64(time.Second) >> 32
	made := int64(time.Unix(int64(sr.NTPTime>>32)-2208988800, int64(fraction)).Sub(g.relay.engine.base)) + 1
	return sr.RTPTime + ticks(at-made, clock)
}

func firstReport(t *testing.T, b []byte) rtcp.Packet {
	t.Helper()
	packets, err := rtcp.Unmarshal(b)
	if err != nil || len(packets) != 2 {
		t.Fatalf("%v %v", packets, err)
	}
	return packets[0]
}

func TestNTP(t *testing.T) {
	at := time.Date(2036, 2, 7, 6, 28, 15, 500_000_000, time.UTC) // half a second before the era's end
	if got := ntp(at); got != 0xffffffff_80000000 {
		t.Errorf("%x", got)
	}
}

// The time of day is set in mid-call: reports go on by the clock that the call began with, and so does the
// round trip; the next call goes by the new one.
func TestReportsDoNotStep(t *testing.T) {
	e := &Engine{base: time.Now()}
	const step = 90 * time.Minute
	later := e.base.Round(0).Add(5*time.Second + step)
	if got := e.stepped(later, 1+int64(5*time.Second)); got != step {
		t.Errorf("set by %v, reckoned %v", step, got)
	}
	g := newRig()
	g.relay.stepped = -step // it was set on by so much after the call had begun
	g.step()
	g.tap.sendReports(g.tap.reports.due)
	sr := firstReport(t, g.rtcp.last).(*rtcp.SenderReport)
	at := time.Unix(int64(sr.NTPTime>>32)-2208988800, 0)
	if off := time.Until(at) + step; off.Abs() > time.Minute {
		t.Errorf("the report's time is off by %v", off)
	}
	host := g.tap.rtcp.Addr()
	g.tap.rtcpAddress.Store(&host)
	b := marshal(t, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: g.tap.ssrc, LastSenderReport: uint32(sr.NTPTime >> 16)}}})
	g.tap.report(b, g.tap.rtcp, g.relay.engine.now())
	if r := g.tap.reception; r.reports != 1 || g.tap.totals.trips.Load() != 1 {
		t.Errorf("%+v, %d round trips known", r, g.tap.totals.trips.Load())
	}
}

func BenchmarkDecide(b *testing.B) {
	g := newRig()
	for name, f := range map[string]func(){"long way": g.step, "lane": g.short} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// Neither keeping packets nor catching up allocates once memory is warm.
func TestBacklogAllocatesNothing(t *testing.T) {
	g := newRig()
	g.relay.engine.store.limit = 1 << 20
	g.tap.backlog = backlog{store: &g.relay.engine.store, limit: int64(time.Minute)}
	to := g.tap.rtp
	round := func() {
		g.tap.rtp = netip.AddrPort{}
		for range 200 {
			g.step()
		}
		g.tap.rtp = to
		for g.tap.backlog.n > 0 {
			g.step()
		}
	}
	round()
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Errorf("%v allocations for some 300 packets", n)
	}
	if c := g.tap.counts; c.copied != c.in || g.relay.engine.store.used.Load() != 0 {
		t.Errorf("%+v, %d bytes still taken", c, g.relay.engine.store.used.Load())
	}
}
