package forker

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// RTCP packet types and sizes (RFC 3550 §6.4).
const (
	typeSR          = 200
	typeRR          = 201
	senderInfo      = 20
	reportBlockSize = 24
	maxRoundTrip    = 30 * time.Second
)

// reception is what the recorder's receiver reports say of a copy. Guarded by
// the relay's mutex.
type reception struct {
	reports  uint64
	at       int64 // arrival of the newest
	fraction uint8 // lost since the report before, in 1/256
	lost     int64 // since the beginning; negative: duplicates
	worst    int64 // lost at its highest, as counted for this recorder
	jitter   time.Duration
	trip     time.Duration // 0: not known yet

	asked [2]uint32 // middle of the NTP times of our newest sender reports

	sender  uint32 // whose RTCP comes
	met     bool   // sender is known
	strange uint64 // RTCP datagrams of another sender, or that cannot be opened
}

// knows tells whether RTCP comes from who has sent it since the recorder was
// agreed with. A recorder that was restarted, and gives our ports to others,
// draws another SSRC (RFC 3550 §8): what it sends is no sign that it has us.
func (r *reception) knows(b []byte) bool {
	if len(b) < 8 {
		return true
	}
	sender := binary.BigEndian.Uint32(b[4:])
	if !r.met {
		r.sender, r.met = sender, true
	}
	return sender == r.sender
}

// reportBlock is a report block of RFC 3550 §6.4.1.
type reportBlock struct {
	fraction uint8
	lost     int32 // 24 bits, signed
	jitter   uint32
	last     uint32 // LSR
	delay    uint32 // DLSR, 1/65536 s
}

// findReport looks for the block about ssrc in a compound packet. b is not kept.
func findReport(b []byte, ssrc uint32) (block reportBlock, ok bool) {
	for len(b) >= 4 && b[0]>>6 == 2 {
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b) {
			return block, ok
		}
		blocks := b[4:size]
		switch b[1] {
		case typeSR:
			blocks = blocks[min(4+senderInfo, len(blocks)):]
		case typeRR:
			blocks = blocks[min(4, len(blocks)):]
		default:
			blocks = nil
		}
		for range b[0] & 0x1f {
			if len(blocks) < reportBlockSize {
				break
			}
			if binary.BigEndian.Uint32(blocks) == ssrc {
				block, ok = readBlock(blocks), true
			}
			blocks = blocks[reportBlockSize:]
		}
		b = b[size:]
	}
	return block, ok
}

func readBlock(b []byte) reportBlock {
	return reportBlock{
		fraction: b[4],
		lost:     int32(binary.BigEndian.Uint32(b[4:])<<8) >> 8,
		jitter:   binary.BigEndian.Uint32(b[12:]),
		last:     binary.BigEndian.Uint32(b[16:]),
		delay:    binary.BigEndian.Uint32(b[20:]),
	}
}

// report takes RTCP that comes back from the recorder.
func (t *Tap) report(b []byte, from netip.AddrPort, now int64) {
	if host := t.rtcpAddress.Load(); host == nil || *host != from.Addr() || !isRTCP(b) {
		return
	}
	t.relay.mu.Lock()
	defer t.relay.unlock()
	t.relay.watch.sees(t.pair, from, false, true, true, b)
	b, ok := t.seal.open(b)
	if !ok || !t.reception.knows(b) {
		t.reception.strange++
		return
	}
	t.rtcpIn.Add(1)
	t.relay.watch.hears(t.pair, from, false, true, b)
	t.relay.confirm(t, now)
	block, ok := findReport(b, t.source())
	if !ok {
		return
	}
	t.received(block, ntp(t.relay.wall(now)), now)
}

// received takes a report block over; clock is the NTP time of its arrival.
func (t *Tap) received(block reportBlock, clock uint64, now int64) {
	r := &t.reception
	r.reports++
	r.at = now
	r.fraction = block.fraction
	if more := int64(block.lost) - r.worst; more > 0 {
		t.totals.lost.Add(uint64(more))
		r.worst += more
	}
	r.lost = int64(block.lost)
	hz := max(t.nums.cur.clock, 1)
	if t.nums.cur.clock == 0 {
		hz = defaultClock
	}
	r.jitter = time.Duration(int64(block.jitter) * int64(time.Second) / hz)
	t.totals.reports.Add(1)
	t.totals.jitter.Add(int64(r.jitter))
	if trip, ok := r.roundTrip(block, clock); ok {
		r.trip = trip
		t.totals.trips.Add(1)
		t.totals.trip.Add(int64(trip))
	}
}

// roundTrip is the time from our sender report to the block that answers it,
// without the time that the recorder kept it (RFC 3550 §6.4.1).
func (r *reception) roundTrip(block reportBlock, clock uint64) (time.Duration, bool) {
	if block.last == 0 || block.last != r.asked[0] && block.last != r.asked[1] {
		return 0, false
	}
	units := int32(uint32(clock>>16) - block.last - block.delay)
	trip := time.Duration(units) * time.Second / 65536
	return max(trip, 0), trip > -time.Second && trip < maxRoundTrip
}

// ask remembers the NTP time of a sender report of ours.
func (r *reception) ask(ntp uint64) { r.asked[1], r.asked[0] = r.asked[0], uint32(ntp>>16) }
