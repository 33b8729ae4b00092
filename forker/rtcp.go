package forker

import (
	"math/rand/v2"
	"time"

	"github.com/pion/rtcp"
)

// RTCP timing (RFC 3550 §6.2, §6.3.1): two members and little traffic, so the
// minimum decides; randomised over 0.5 to 1.5 and corrected for reconsideration.
const (
	reportInterval = 5 * time.Second
	reportCorrect  = 1.21828
)

// reports is the RTCP side of a Tap: when the next one is due and what the
// last one said. Guarded by the relay's mutex.
type reports struct {
	due      int64 // 0: no copy has left yet
	reported uint64
	sent     uint64

	// With TapConfig.KeepSource: of which source they tell, and what had been counted when it began.
	ssrc           uint32
	since, payload uint64
}

// origin draws the random start of the copy's numbers (RFC 3550 §5.1). Who opens
// SRTP begins with a rollover counter of 0 and must not meet an end of the
// sequence numbers before its first packet (RFC 3711 §3.3.1).
func (*reports) origin() (seq uint16, ts uint32) {
	return maxLate + uint16(rand.N(1<<15-maxLate)), rand.Uint32()
}

// begin schedules the first report, after half the interval.
func (r *reports) begin(now int64) { r.due = now + spread(reportInterval/2) }

// spread draws an interval around mean.
func spread(mean time.Duration) int64 {
	return int64(float64(mean) * (0.5 + rand.Float64()) / reportCorrect)
}

// reportDue tells whether sendReports has something to do.
func (t *Tap) reportDue(now int64) bool { return t.reports.due != 0 && now >= t.reports.due }

// sendReports sends the report that is due. The caller holds the relay's mutex.
func (t *Tap) sendReports(now int64) {
	if !t.reportDue(now) {
		return
	}
	t.reports.due = now + spread(reportInterval)
	t.flush(now) // what the report counts has left
	if t.rtcp.IsValid() {
		t.sendRTCP(t.compound())
	}
}

// sendBye tells the recorder that the source ends, if it has heard of it.
func (t *Tap) sendBye() {
	if t.reports.due == 0 || !t.rtcp.IsValid() {
		return
	}
	t.sendRTCP(append(t.compound(), &rtcp.Goodbye{Sources: t.sources()}))
}

// compound is a sender report, or an empty receiver report when nothing was
// sent since the last one (RFC 3550 §6.4), with the CNAME (§6.1). Its two times are one
// reading of one clock, of now: what is due may have waited for other relays.
func (t *Tap) compound() []rtcp.Packet {
	ssrc := t.source()
	var first rtcp.Packet = &rtcp.ReceiverReport{SSRC: ssrc}
	if t.counts.copied > t.reports.reported {
		t.reports.reported = t.counts.copied
		now := t.relay.engine.now()
		at := ntp(t.relay.wall(now))
		t.reception.ask(at)
		first = &rtcp.SenderReport{
			SSRC: ssrc, NTPTime: at, RTPTime: t.nums.timestamp(now),
			PacketCount: uint32(t.counts.copied - t.reports.since), OctetCount: uint32(t.counts.payload - t.reports.payload),
		}
	}
	if t.cfg.CNAME == "" {
		return []rtcp.Packet{first}
	}
	return []rtcp.Packet{first, rtcp.NewCNAMESourceDescription(ssrc, t.cfg.CNAME)}
}

func (t *Tap) sendRTCP(packets []rtcp.Packet) {
	b, err := rtcp.Marshal(packets)
	if err != nil {
		t.relay.engine.cfg.Log.Warn("building RTCP", "label", t.cfg.Label, "error", err)
		return
	}
	t.relay.watch.hears(t.pair, t.rtcp, true, true, b)
	b, ok := t.seal.control(b)
	if !ok {
		return
	}
	if t.pair.rtcp.send(b, t.rtcp) == nil {
		t.reports.sent++
		t.relay.watch.sees(t.pair, t.rtcp, true, true, true, b)
	}
}

// ntp is the 64-bit timestamp of RFC 3550 §4: seconds since 1900 and their fraction.
func ntp(at time.Time) uint64 {
	const unixEpoch = 2208988800
	seconds := uint64(at.Unix() + unixEpoch)
	return seconds<<32 | uint64(at.Nanosecond())<<32/uint64(time.Second)
}
