package forker

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// overlap is how much from before a recorder's last sign of life is sent again:
// what it had taken in and not put down yet.
const overlap = int64(2 * time.Second)

// replay keeps what a Tap has sent, numbered, in clear and with the call's
// payload types, oldest first. A recorder that is lost has perhaps not recorded
// what came after its last sign of life: the next one gets that again. Records
// go when the recorder lives (Confirm), when they are too old, and when the
// memory is short. Guarded by the relay's mutex.
//
//	head ─ sent, perhaps recorded ─ next ─ to be sent again ─ tail
type replay struct {
	store *store
	limit int64 // age of what is kept; 0: nothing is

	head, tail *chunk
	n          int
	next       *chunk // where what is to be sent again begins; nil: nothing is
	at         int    // in next
	ahead      int    // records from there on

	alive   int64  // last sign of life
	unsure  uint64 // sent since then and not kept
	forgone uint64 // at risk when a recorder was lost, and never sent again
}

// In the replay a record's time is when it was sent, and its last octets are
// whether it was at risk when a recorder was lost, and the call's payload type.
const (
	riskAt = 14
	typeAt = 15
)

// push keeps a copy of the packet b as it is about to be sent.
func (q *replay) push(b []byte, h *header, seq uint16, ts, ssrc uint32, now int64) {
	if q.limit == 0 {
		q.unsure++
		return
	}
	for q.n > 0 && now-q.stamp() > q.limit {
		q.evict()
	}
	size := recordSize + len(b)
	if q.tail == nil || len(q.tail.buf)-q.tail.written < size {
		c := q.store.takeSpare(size)
		for freed := true; c == nil && freed; c = q.store.takeSpare(size) {
			freed = q.release()
		}
		if c == nil {
			q.unsure++
			return
		}
		if q.tail == nil {
			q.head = c
		} else {
			q.tail.next = c
		}
		q.tail = c
	}
	into := q.tail.buf[q.tail.written:][:size]
	q.tail.written += size
	binary.LittleEndian.PutUint64(into, uint64(now))
	binary.LittleEndian.PutUint16(into[12:], uint16(len(b)))
	into[riskAt], into[typeAt] = 0, h.pt
	copy(into[recordSize:], b)
	writeHeader(into[recordSize:], h.pt, seq, ts, ssrc)
	q.n++
}

// stamp is when the oldest record was sent; there must be one.
func (q *replay) stamp() int64 {
	return int64(binary.LittleEndian.Uint64(q.head.buf[q.head.read:]))
}

// pop takes the oldest record away, which is to be sent again only if all are.
func (q *replay) pop() {
	c := q.head
	if q.next == c && q.at == c.read {
		q.step()
	}
	c.read += recordSize + int(binary.LittleEndian.Uint16(c.buf[c.read+12:]))
	q.n--
	if c.read < c.written {
		return
	}
	if q.head = c.next; q.head == nil {
		q.tail = nil
	}
	q.store.give(c)
}

// step goes on to the next record that is to be sent again.
func (q *replay) step() {
	q.at += recordSize + int(binary.LittleEndian.Uint16(q.next.buf[q.at+12:]))
	q.ahead--
	if q.ahead == 0 {
		q.next = nil
	} else if q.at == q.next.written {
		q.next = q.next.next
		q.at = q.next.read
	}
}

// evict gives the oldest record up.
func (q *replay) evict() {
	again := q.ahead == q.n
	switch {
	case again && q.head.buf[q.head.read+riskAt] != 0:
		q.forgone++
	case !again && q.stamp() >= q.alive:
		q.unsure++
	}
	q.pop()
}

// release gives a chunk back for want of memory; false: there is none.
func (q *replay) release() bool {
	for c := q.head; q.head == c && c != nil; {
		q.evict()
		if q.head != c {
			return true
		}
	}
	return false
}

// confirm notes a sign of life.
func (q *replay) confirm(now int64) {
	q.alive, q.unsure = now, 0
	for q.n > q.ahead && q.stamp() < now-overlap {
		q.pop()
	}
}

// rewind has all that is kept sent again.
func (q *replay) rewind() {
	q.forgone += q.unsure
	q.unsure = 0
	sent := q.n - q.ahead
	for c := q.head; c != nil; c = c.next {
		for at := c.read; at < c.written && sent > 0; sent-- {
			if int64(binary.LittleEndian.Uint64(c.buf[at:])) >= q.alive {
				c.buf[at+riskAt] = 1
			}
			at += recordSize + int(binary.LittleEndian.Uint16(c.buf[at+12:]))
		}
	}
	if q.ahead = q.n; q.n > 0 {
		q.next, q.at = q.head, q.head.read
	}
}

// again gives the next packet that is to be sent again, the call's payload type of
// it and whether it was at risk, valid until something is pushed; there must be
// one. Its payload type may be overwritten. It counts as sent now.
func (q *replay) again(now int64) (b []byte, pt uint8, risk bool) {
	from := q.next.buf[q.at:]
	binary.LittleEndian.PutUint64(from, uint64(now))
	risk, from[riskAt] = from[riskAt] != 0, 0
	size := int(binary.LittleEndian.Uint16(from[12:]))
	q.step()
	return from[recordSize:][:size:size], from[typeAt], risk
}

// clear throws everything away.
func (q *replay) clear() {
	for q.n > 0 {
		q.evict()
	}
	q.unsure = 0
}

// Confirm tells that the recorder lives: of what has been sent to it, only the
// newest two seconds are kept on (TapConfig.Replay).
func (t *Tap) Confirm() {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	t.replay.confirm(t.relay.engine.now())
}

// confirm notes a sign of life of the recorder that has the tap of, for all taps
// that it has.
func (r *Relay) confirm(of *Tap, now int64) {
	for _, t := range r.taps {
		if t.cfg.Recorder == of.cfg.Recorder && t.cfg.Session == of.cfg.Session {
			t.replay.confirm(now)
		}
	}
}

// Rewind tells that the recorder is lost. Copies have nowhere to go until
// SendTo; the next recorder first gets again what left from two seconds before
// the last sign of life on, with the same numbers and timestamps, and then what
// comes meanwhile. What left after that sign and is not kept is TapStats.AtRisk.
func (t *Tap) Rewind() {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	if t.closed {
		return
	}
	t.moveTo(netip.AddrPort{})
	t.replay.rewind()
}

// repeat sends a packet again, by the payload types of the recorder of now. What was
// at risk and this one does not take is lost, unless it goes beside the audio:
// without that recorders do.
func (t *Tap) repeat(now int64) {
	b, pt, risk := t.replay.again(now)
	h, ok := readHeader(b)
	if !ok || t.pt[pt] == unmapped {
		if risk && !t.codecs.of(pt).beside() {
			t.replay.forgone++
		}
		return
	}
	b = t.extensions.again(b)
	b[1] = b[1]&0x80 | t.pt[pt]
	t.counts.again++
	t.totals.again.Add(1)
	t.depart(b, &h, now)
}

// waiting tells whether something is to be sent before what comes now.
func (t *Tap) waiting() bool { return t.backlog.n > 0 || t.replay.ahead > 0 }
