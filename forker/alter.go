package forker

// alteration is what is done to the packets of a flow before they go on to the
// other party, and who listens to them. Nearly all flows have none: nil, and
// nothing on the way of their packets. Guarded by the relay's mutex.
type alteration struct {
	keypad  keypad
	swallow bool      // keys do not go on
	forward numbering // closes up what was left out
	mixer   *mixer    // nil: no tone
	playing *playback // heard in the place of the flow; nil: the flow itself is
	marks   bool      // the next packet that goes on begins a talkspurt
	scratch []byte    // where a packet is made that is not the one that came
}

// alter makes an RTP packet what goes on to the other party: the packet itself,
// or another in memory of ours; nil when nothing is to. copied is what the taps
// get. Packets of SRTP that only pass are not for it.
func (a *alteration) alter(r *route, b []byte, h *header, now int64) (out, copied []byte) {
	red := r.flow.coding(h.pt).kind == kindRED
	if red && a.swallow {
		b = bared(b, h) // what the older blocks repeat may be a key
	}
	out, copied = b, b
	if p := a.playing; p != nil {
		if out = nil; p.copied {
			copied = nil
		}
	}
	if r.flow.codecs == nil {
		return a.marked(out, b, h), copied
	}
	c, clock := r.flow.codecs.of(h.pt), r.flow.codecs.clockOf(h.pt)
	key := c.keys() && a.hears(r, b, h, red, now)
	if out == nil {
		return nil, copied
	}
	if m := a.mixer; m != nil && !c.keys() {
		if mixed, ok := m.mix(a.scratch, b, h, c, clock, now); ok {
			out, a.scratch = mixed, mixed
			if m.tone.Copy {
				copied = mixed
			}
		}
	}
	if !a.swallow && !a.forward.started {
		return a.marked(out, b, h), copied
	}
	seq, goes := a.closeUp(h, key, clock, now)
	switch {
	case !goes:
		return nil, copied
	case seq == h.seq:
		return a.marked(out, b, h), copied
	case &out[0] == &b[0]:
		a.scratch = append(a.scratch[:0], b...)
		out = a.scratch
	}
	writeHeader(out, h.pt, seq, h.ts, h.ssrc)
	return a.marked(out, b, h), copied
}

// marked sets the marker of a packet that goes on, where it is the first that does
// again.
func (a *alteration) marked(out, b []byte, h *header) []byte {
	if out == nil || !a.marks {
		return out
	}
	a.marks = false
	if &out[0] == &b[0] {
		a.scratch = append(a.scratch[:0], b...)
		out = a.scratch
	}
	out[1] |= 0x80
	return out
}

// overhear takes a packet of SRTP that has passed.
func (a *alteration) overhear(r *route, b []byte, h *header, now int64) {
	if c := r.flow.coding(h.pt); c.keys() {
		a.hears(r, b, h, c.kind == kindRED, now)
	}
}

// hears tells the keypad of a packet that may be a key's, also as the newest block of RED (RFC
// 4733 §2.6), and reports whether it was.
func (a *alteration) hears(r *route, b []byte, h *header, red bool, now int64) bool {
	payload, ok := payloadOf(b, h)
	if !ok {
		return false
	}
	own := *h
	if red {
		pt, from, ok := primary(payload)
		if !ok || !r.flow.coding(pt).event() {
			return false
		}
		own.pt, payload = pt, payload[from:]
	}
	return a.keypad.packet(r, payload, &own, now)
}

// SetCodecs tells what the payload types of a flow mean. Mixing, announcements
// and keys go by it; taps have Tap.SetCodecs. It replaces what was set before.
func (r *Relay) SetCodecs(stream int, flow Flow, codecs map[uint8]Codec) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.has(stream) || flow != AB && flow != BA {
		return
	}
	f := &r.streams[stream].flows[flow]
	if f.codecs == nil {
		f.codecs = new(codingTable)
	}
	f.codecs.set(codecs)
	r.amend()
}

// coding is what a payload type means, as far as it has been told.
func (f *flow) coding(pt uint8) coding {
	if f.codecs == nil {
		return coding{}
	}
	return f.codecs.of(pt)
}

// amend gives the flows what the wishes of the moment need, and takes the rest
// away. The caller holds mu.
func (r *Relay) amend() {
	for _, s := range r.streams {
		for i := range s.flows {
			f := &s.flows[i]
			shifted := f.alter != nil && f.alter.forward.started
			wished := f.codecs != nil && (r.keys.told != nil || r.keys.swallow[i] || r.tones[i] != nil)
			if !wished && !shifted && f.playing == nil && (f.alter == nil || !f.alter.marks) {
				f.alter = nil
				continue
			}
			if f.alter == nil {
				f.alter = &alteration{}
			}
			f.alter.swallow, f.alter.playing = r.keys.swallow[i], f.playing
			f.alter.amendTone(r.tones[i])
		}
	}
}
