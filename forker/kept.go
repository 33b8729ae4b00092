package forker

// keptSources is how many sources of a label leave under SSRCs of their own.
const keptSources = 8

// kept has a numbering follow its sources instead of making one space of them
// (TapConfig.KeepSource): SSRC, numbers and clock are theirs, and what is left out
// is a hole in them. It makes up numbers only where theirs would say of two packets
// that they are one: a source that begins anew under its SSRC, or comes back under
// it, goes on after its newest number. Sources beyond the first few share the tap's
// own SSRC. Guarded by the relay's mutex.
type kept struct {
	own    uint32 // the tap's SSRC
	places []standing
}

// standing is how far a source has come that is not the current one.
type standing struct {
	ssrc, out uint32 // as it came, and as it leaves
	off       int64  // number out minus number in
	shift     uint32 // timestamp out minus timestamp in
	high      int64  // newest number out
	ts        uint32 // timestamp out
	at        int64
	clock     int64
}

// leave notes how far a source has come, when another one takes its turn.
func (k *kept) leave(s *source, high int64) {
	p := standing{
		ssrc: s.ssrc, out: s.out, off: s.spans[s.n-1].off, shift: s.shift, high: high, ts: s.ts + s.shift, at: s.at, clock: s.clock,
	}
	for i := range k.places {
		if k.places[i].out == p.out {
			k.places[i] = p
			return
		}
	}
	k.places = append(k.places, p)
}

// enter gives the SSRC, the number and the shift of the clock with which the
// source of h goes on.
func (k *kept) enter(h *header, clock, now int64) (out uint32, next int64, shift uint32) {
	own := -1
	for i := range k.places {
		p := &k.places[i]
		switch {
		case p.ssrc == h.ssrc:
			if step := int64(int16(h.seq + uint16(p.off) - uint16(p.high))); step > 0 {
				return p.out, p.high + step, p.shift
			}
			return p.after(h, clock, now)
		case p.out == h.ssrc:
			return p.after(h, clock, now)
		case p.out == k.own:
			own = i
		}
	}
	switch {
	case own >= 0:
		return k.places[own].after(h, clock, now)
	case len(k.places) >= keptSources:
		return k.own, int64(h.seq), 0
	}
	return h.ssrc, int64(h.seq), 0
}

// after has a source go on where another has come to.
func (p *standing) after(h *header, clock, now int64) (out uint32, next int64, shift uint32) {
	return p.out, p.high + 1, p.ts + max(ticks(now-p.at, clock), 1) - h.ts
}

// leaves is the SSRC of a packet that has been numbered.
func (n *numbering) leaves(h *header, own uint32) uint32 {
	switch {
	case n.kept == nil:
		return own
	case h.ssrc == n.cur.ssrc:
		return n.cur.out
	case n.prev == nil:
		return own
	}
	return n.prev.out
}

// source is the SSRC of what leaves now.
func (t *Tap) source() uint32 {
	if t.nums.kept == nil || !t.nums.started {
		return t.ssrc
	}
	return t.nums.cur.out
}

// sources are all SSRCs that have left, for the BYE.
func (t *Tap) sources() []uint32 {
	all := []uint32{t.source()}
	if k := t.nums.kept; k != nil {
		for i := range k.places {
			if out := k.places[i].out; out != all[0] {
				all = append(all, out)
			}
		}
	}
	return all
}

// turn has the reports tell of another source from now on (RFC 3550 §6.4.1: with a
// new SSRC the counts begin anew).
func (t *Tap) turn(now int64) {
	r := &t.reports
	if s := t.source(); s != r.ssrc {
		if r.ssrc != 0 {
			t.flush(now)
			r.since, r.payload = t.counts.copied, t.counts.payload
			t.reception.worst = 0
		}
		r.ssrc = s
	}
}
