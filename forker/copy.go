package forker

// copy sends one packet of the flow to the recorder, header rewritten in place,
// keeps it for later, or drops and counts it. h is nil when the datagram is no
// RTP packet. It runs under the relay's mutex, after the packet has gone on to
// the other party.
func (t *Tap) copy(b []byte, h *header, now int64) {
	t.counts.in++
	if h == nil {
		t.drop(DropNotRTP)
		return
	}
	t.heard = now
	clock := t.clockOf(h.pt)
	waiting := t.waiting()
	mode, covered := t.covered()
	muted := false
	if covered {
		var silence header
		if b, silence, muted = t.cover(b, h, mode, clock, now); muted {
			h = &silence
		}
	}
	switch {
	case muted && !waiting && t.rtp.IsValid():
		t.emit(b, h, clock, now, now)
	case muted && (waiting || t.backlog.limit > 0):
		t.keep(b, h, clock, now)
	case covered && t.backlog.n > 0:
		t.backlog.cut = true // noted behind the backlog
		t.drop(DropPaused)
	case covered:
		t.leaveOut(h, clock, now, DropPaused)
	case !waiting && t.rtp.IsValid():
		t.emit(b, h, clock, now, now)
	case t.backlog.limit > 0:
		t.keep(b, h, clock, now)
	default:
		t.leaveOut(h, clock, now, DropNoAddress)
	}
	if waiting && t.rtp.IsValid() {
		t.catchUp(t.pace(), now)
	}
}

// refuse counts a packet of SRTP that could not be opened. Nothing of it is
// believed, its sequence number neither.
func (t *Tap) refuse(h *header) {
	t.counts.in++
	if h == nil {
		t.drop(DropNotRTP)
		return
	}
	t.drop(DropSRTPAuth)
}

// leaveOut drops a packet on purpose: it takes no number.
func (t *Tap) leaveOut(h *header, clock, at int64, reason DropReason) {
	if t.stranger(h) {
		t.drop(reason)
		return
	}
	own := *h
	clock = t.timed(&own, clock, at)
	if s := &t.nums.cur; reason == DropDTMF && s.ssrc == own.ssrc {
		own.ts = s.ts // what stands in a key's place says what time it is; a key has that of its beginning
	}
	t.nums.skip(&own, clock, at)
	t.drop(reason)
}

// giveUp is for a packet that is not sent though it should: its number is lost.
func (t *Tap) giveUp(h *header, clock, at int64) {
	if !t.repair(h) {
		own := *h
		clock = t.timed(&own, clock, at)
		t.number(&own, clock, at)
	}
	t.drop(DropBufferFull)
}

// repair tells what is never copied (Copyable).
func (t *Tap) repair(h *header) bool {
	return t.pt[h.pt] == unmapped && t.codecs.of(h.pt).kind == kindRepair
}

// stranger tells repairs that come from a source beside the one that is copied, whose numbers
// say nothing of that one's.
func (t *Tap) stranger(h *header) bool { return h.ssrc != t.nums.cur.ssrc && t.repair(h) }

// timed gives a packet the timestamp that the numbering is to go by, and the clock
// of it: that of the copy, which is not the packet's own beside audio of another clock, or where a
// transcoder has changed it. Each packet comes here once.
func (t *Tap) timed(h *header, clock, at int64) int64 {
	switch s := &t.nums.cur; {
	case t.transcoder != nil:
		return t.retime(h, clock, at)
	case clock != s.clock && s.ssrc == h.ssrc && t.nums.started && t.codecs.of(h.pt).beside():
		return s.clock
	}
	return clock
}

// number gives a packet that came at that time its place in the copy.
func (t *Tap) number(h *header, clock, at int64) (seq uint16, ts uint32, ok bool) {
	if !t.nums.started {
		seq, ts := t.reports.origin()
		t.nums.start(h, clock, at, seq, ts)
	}
	return t.nums.next(h, clock, at)
}

// emit sends the packet b that came at that time. It owns b's header.
func (t *Tap) emit(b []byte, h *header, clock, at, now int64) {
	if t.repair(h) {
		t.leaveOut(h, clock, at, DropRepair)
		return
	}
	own := *h // the next tap reads h, too
	b, ok := t.mask(b, &own, at)
	if !ok {
		t.leaveOut(h, clock, at, DropDTMF)
		return
	}
	if own.pt != h.pt { // silence in its place
		clock = t.clockOf(own.pt)
	}
	source := clock
	clock = t.timed(&own, clock, at)
	if t.transcoder != nil && t.pt[own.pt] == unmapped {
		if out, ok := t.transcode(b, &own, source); ok {
			b = out
		}
	}
	if t.pt[own.pt] == unmapped || t.foreign(&own, source, clock) {
		t.nums.skip(&own, clock, at)
		t.drop(DropUnmapped)
		return
	}
	seq, ts, ok := t.number(&own, clock, at)
	if !ok {
		t.drop(DropLate)
		return
	}
	ssrc := t.nums.leaves(&own, t.ssrc)
	if t.nums.kept != nil {
		t.turn(now)
	}
	t.replay.push(b, &own, seq, ts, ssrc, now)
	b = t.extensions.pass(b)
	writeHeader(b, t.pt[own.pt], seq, ts, ssrc)
	t.depart(b, &own, now)
}

// depart sends a packet that is ready but for its seal.
func (t *Tap) depart(b []byte, h *header, now int64) {
	b, ok := t.seal.packet(b)
	if !ok {
		t.drop(t.seal.refused)
		return
	}
	t.relay.watch.sees(t.pair, t.rtp, true, false, false, b)
	if !t.collect(b, h, now) {
		t.send(b, h.payload, now)
	}
}

func (t *Tap) clockOf(pt uint8) int64 { return t.codecs.clockOf(pt) }

// send hands one copy to the kernel.
func (t *Tap) send(b []byte, payload int, now int64) {
	if err := t.transmit(b, len(b)); err != nil {
		t.drop(dropReason(err))
		return
	}
	t.sent(1, len(b), uint64(payload), now)
}

// transmit sends b as one datagram, or as several when size is less. On a
// connected socket an ICMP error is about an earlier packet and this one has
// not been sent: it gets a second try.
func (t *Tap) transmit(b []byte, size int) error {
	err := t.put(b, size)
	if err != nil {
		err = t.retry(err, b, size)
	}
	return err
}

func (t *Tap) retry(err error, b []byte, size int) error {
	if !belated(err) {
		return err
	}
	if unreachable(err) {
		t.counts.unreachable++
	}
	return t.put(b, size)
}

// sendAgain is send for a copy that the kernel has not taken at first.
func (t *Tap) sendAgain(err error, b []byte, payload int, now int64) {
	if err = t.retry(err, b, len(b)); err != nil {
		t.drop(dropReason(err))
		return
	}
	t.sent(1, len(b), uint64(payload), now)
}

func (t *Tap) put(b []byte, size int) error {
	if size < len(b) {
		return t.pair.rtp.sendSegments(b, size, t.told())
	}
	return t.pair.rtp.send(b, t.told())
}

// sent counts copies that have left.
func (t *Tap) sent(n, octets int, payload uint64, now int64) {
	t.counts.copied += uint64(n)
	t.counts.octets += uint64(octets)
	t.counts.payload += payload
	t.counts.last = now
	if t.counts.first == 0 {
		t.counts.first = now
		t.reports.begin(now)
	}
	t.totals.copied.Add(uint64(n))
}

func (t *Tap) drop(reason DropReason) { t.dropMany(reason, 1) }

func (t *Tap) dropMany(reason DropReason, n int) {
	t.counts.dropped[reason] += uint64(n)
	t.totals.dropped[reason].Add(uint64(n))
}
