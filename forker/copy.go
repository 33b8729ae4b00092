package forker

import "net/netip"

// copy sends one packet of the flow to the recorder, header rewritten in place,
// or drops and counts it. h is nil when the datagram is no RTP packet. It runs
// under the relay's mutex, after the packet has gone on to the other party.
func (t *Tap) copy(b []byte, h *header, now int64) {
	t.counts.in++
	if h == nil {
		t.drop(DropNotRTP)
		return
	}
	clock := t.clockOf(h.pt)
	if reason, skip := t.withheld(h.pt); skip {
		t.nums.skip(h, clock, now)
		t.drop(reason)
		return
	}
	if !t.nums.started {
		seq, ts := t.reports.origin()
		t.nums.start(h, clock, now, seq, ts)
	}
	seq, ts, ok := t.nums.next(h, clock, now)
	if !ok {
		t.drop(DropLate)
		return
	}
	writeHeader(b, t.pt[h.pt], seq, ts, t.ssrc)
	t.send(b, h.payload, now)
}

// withheld tells whether packets are left out on purpose now.
func (t *Tap) withheld(pt uint8) (DropReason, bool) {
	switch {
	case t.paused:
		return DropPaused, true
	case !t.rtp.IsValid():
		return DropNoAddress, true
	case t.pt[pt] == unmapped:
		return DropUnmapped, true
	}
	return 0, false
}

func (t *Tap) clockOf(pt uint8) int64 {
	if hz := t.clock[pt]; hz > 0 {
		return int64(hz)
	}
	return defaultClock
}

// send hands the copy to the kernel. On a connected socket an ICMP error is
// about an earlier packet and this one has not been sent: it gets a second try.
func (t *Tap) send(b []byte, payload int, now int64) {
	err := t.pair.rtp.send(b, t.direct)
	if err != nil && unreachable(err) {
		t.counts.unreachable++
		err = t.pair.rtp.send(b, t.direct)
	}
	if err != nil {
		t.drop(dropReason(err))
		return
	}
	t.counts.copied++
	t.counts.octets += uint64(len(b))
	t.counts.payload += uint64(payload)
	t.counts.last = now
	if t.counts.first == 0 {
		t.counts.first = now
		t.reports.begin(now)
	}
	t.totals.copied.Add(1)
}

func (t *Tap) drop(reason DropReason) {
	t.counts.dropped[reason]++
	t.totals.dropped[reason].Add(1)
}

// report counts RTCP that comes back from the recorder.
func (t *Tap) report(b []byte, from netip.AddrPort) {
	if host := t.rtcpAddress.Load(); host != nil && *host == from.Addr() && isRTCP(b) {
		t.rtcpIn.Add(1)
	}
}
