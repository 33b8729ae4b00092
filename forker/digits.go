package forker

import "time"

// Digit is a key that a party has pressed, told once it has been let go.
type Digit struct {
	Side     Side          // who pressed it
	Key      byte          // 0 to 9, *, #, A to D
	Duration time.Duration // as far as it was told
}

// keyNames are the keys by event code (RFC 4733 §3.2).
const keyNames = "0123456789*#ABCD"

// keys is who is told of the parties' keys. Guarded by the relay's mutex.
type keys struct {
	told    func(Digit)
	swallow [2]bool // by Side
	last    [2]told // by Side
}

// told is the key that was told last.
type told struct {
	key       byte
	signalled bool
	at        int64
}

// twice is how long after a key the same one of the other kind is the same press:
// there are phones that send both.
const twice = int64(500 * time.Millisecond)

// tell tells of a key. The caller holds mu.
func (r *Relay) tell(d Digit, signalled bool) {
	if r.keys.told == nil || r.closed {
		return
	}
	now, last := r.engine.now(), &r.keys.last[d.Side]
	if last.key == d.Key && last.signalled != signalled && now-last.at < twice {
		return
	}
	*last = told{key: d.Key, signalled: signalled, at: now}
	r.keys.told(d)
}

// OnDigit has f told of each key that a party presses: by telephone-event
// packets (RFC 4733) in what the relay can read, of the payload types that
// SetCodecs names, or by Press; what comes both ways within half a second is one
// key. A key is told once, at its end; where the end is
// lost, when something else is heard or after 200 ms. f is called with the
// relay's lock held, must not wait and not call the relay. nil: nobody is told.
func (r *Relay) OnDigit(f func(Digit)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys.told = f
	r.amend()
}

// SwallowDigits has the keys of a side not go on to the other: their packets are
// left out, and the sequence numbers of what follows close up. It also says what
// Press returns.
func (r *Relay) SwallowDigits(side Side, on bool) {
	if side != SideA && side != SideB {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys.swallow[side] = on
	r.amend()
}

// Press tells of a key that came in the signalling (INFO), and returns whether it
// is to go no further.
func (r *Relay) Press(d Digit) (swallowed bool) {
	if d.Side != SideA && d.Side != SideB {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(d, true)
	return r.keys.swallow[d.Side]
}

// keypad follows the telephone-events of a flow. One event is many packets: its
// timestamp stays, its duration grows, its end comes three times (RFC 4733
// §2.5.1). Guarded by the relay's mutex.
type keypad struct {
	ssrc   uint32
	known  bool   // an event has been seen of this source
	active bool   // it lasts
	code   uint8  // event code
	ts     uint32 // its beginning; of its segment, when it is a long one
	before int64  // ticks of earlier segments
	ticks  uint16 // of this segment
	clock  int64
	at     int64 // arrival of its newest packet
}

// packet takes an event's packet and reports whether it was of a key.
func (k *keypad) packet(r *route, payload []byte, h *header, now int64) bool {
	end, ticks, ok := telephoneEvent(payload)
	if !ok || int(payload[0]) >= len(keyNames) {
		return false
	}
	if k.known && k.ssrc != h.ssrc {
		k.finish(r.relay, r.from.side)
		k.known = false
	}
	code, ahead := payload[0], int32(h.ts-k.ts)
	switch {
	case k.known && ahead < 0: // late
		return true
	case k.known && ahead == 0 && !k.active: // its end, repeated
		return true
	case k.active && ahead > 0 && code == k.code && uint32(ahead) == uint32(k.ticks) && k.ticks > maxSegment:
		k.before += int64(ahead) // RFC 4733 §2.5.1.3
		k.ts, k.ticks = h.ts, 0
	case !k.active || ahead > 0:
		k.finish(r.relay, r.from.side)
		*k = keypad{ssrc: h.ssrc, known: true, active: true, code: code, ts: h.ts, clock: r.flow.codecs.clockOf(h.pt)}
	}
	k.ticks, k.at = max(k.ticks, uint16(ticks)), now
	if end {
		k.finish(r.relay, r.from.side)
	}
	return true
}

// maxSegment is a duration above which an event goes on as another segment.
const maxSegment = 0xffff - 8000

// idle ends an event of which nothing has come for long.
func (k *keypad) idle(r *Relay, side Side, now int64) {
	if k.active && now-k.at > eventTimeout {
		k.finish(r, side)
	}
}

// finish tells of the key that was pressed until now.
func (k *keypad) finish(r *Relay, side Side) {
	if !k.active {
		return
	}
	k.active = false
	length := time.Duration(k.before+int64(k.ticks)) * time.Second / time.Duration(max(k.clock, 1))
	r.tell(Digit{Side: side, Key: keyNames[k.code], Duration: length}, false)
}

// idleKeys ends the events that have stopped without an end. The caller holds mu.
func (r *Relay) idleKeys(now int64) {
	if r.keys.told == nil {
		return
	}
	for _, s := range r.streams {
		for i := range s.flows {
			if a := s.flows[i].alter; a != nil {
				a.keypad.idle(r, Side(i), now)
			}
		}
	}
}

// closeUp leaves keys out and closes the numbers of what follows up, also when
// keys go on again, for as long as the source stays the same; a new one begins
// with its own numbers. It gives the number of a packet that goes on.
func (a *alteration) closeUp(h *header, key bool, clock, now int64) (seq uint16, goes bool) {
	n := &a.forward
	if !n.started || n.cur.ssrc != h.ssrc && (n.prev == nil || n.prev.ssrc != h.ssrc) {
		*n = numbering{}
		n.start(h, clock, now, h.seq, h.ts)
	}
	if key && a.swallow {
		n.skip(h, clock, now)
		return 0, false
	}
	seq, _, ok := n.next(h, clock, now)
	if !ok {
		seq = h.seq
	}
	return seq, true
}
