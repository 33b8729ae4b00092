package forker

import (
	"sync/atomic"
	"time"
)

// Batching of copies: some packets of one tap leave as one send that the kernel
// cuts into datagrams (UDP_SEGMENT). A recording can wait that long, and the
// sends are what a copy costs.
const (
	// BatchAdaptive as Config.Batch collects copies only under load.
	BatchAdaptive = -1

	adaptiveBatch = 4                             // packets; 20 ms each
	maxBatch      = 16                            // of Config.Batch
	batchAge      = int64(60 * time.Millisecond)  // a packet that comes so long after the first one closes the batch
	batchTick     = 20 * time.Millisecond         // how often batches are looked for whose source has fallen silent,
	batchSilence  = int64(70 * time.Millisecond)  // and how old these are then, at least
	batchSegment  = 1400                          // octets; larger packets are sent as they come
	busyCopies    = 200                           // copies a second above which adaptive batches,
	idleCopies    = 100                           // and below which it stops
	loadWindow    = int64(250 * time.Millisecond) // in which they are counted
)

// batch is what a tap has collected: packets of one size, the last perhaps
// shorter. Guarded by the relay's mutex.
type batch struct {
	buf     []byte
	size    int // of each packet but the last
	n       int
	payload uint64
	opened  atomic.Int64 // when the first packet came in; 0: there is none. Read without the mutex.
	barred  bool         // the kernel refuses segments on this way
	listed  bool         // among the engine's dueBatches
	place   int          // there, counted from 1; guarded by their mutex
}

// collect takes a packet into the batch and tells whether it did; what cannot
// wait, or has filled the batch, has it leave.
func (t *Tap) collect(b []byte, h *header, now int64) bool {
	limit := int(t.relay.engine.batch.Load())
	q := &t.batch
	if limit < 2 || q.barred || len(b) > batchSegment {
		t.flush(now)
		return false
	}
	if q.n > 0 && len(b) > q.size {
		t.flush(now)
	}
	if q.n == 0 {
		q.size = len(b)
		q.opened.Store(now)
		if !q.listed {
			q.listed = true
			t.relay.engine.due.add(t)
		}
	}
	if cap(q.buf) < len(q.buf)+len(b) {
		q.buf = append(make([]byte, 0, limit*max(q.size, len(b))), q.buf...)
	}
	q.buf = append(q.buf, b...)
	q.n++
	q.payload += uint64(h.payload)
	if q.n >= limit || len(b) < q.size || h.marker || now-q.opened.Load() >= batchAge {
		t.flush(now)
	}
	return true
}

// flush has the batch leave.
func (t *Tap) flush(now int64) {
	q := &t.batch
	if q.n == 0 {
		return
	}
	err := t.transmit(q.buf, q.size)
	if err != nil && refusesSegments(err) {
		q.barred = true
		err = t.oneByOne(q.buf, q.size)
	}
	if err != nil {
		t.dropMany(dropReason(err), q.n)
	} else {
		t.sent(q.n, len(q.buf), q.payload, now)
	}
	q.buf, q.n, q.payload = q.buf[:0], 0, 0
	q.opened.Store(0)
}

// oneByOne sends a batch on a way that takes no segments. It stops at an error;
// what has left until then counts as lost, which errs on the safe side.
func (t *Tap) oneByOne(b []byte, size int) error {
	for len(b) > 0 {
		n := min(size, len(b))
		if err := t.transmit(b[:n], n); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// flushSilent has a batch leave that nobody has added to for long.
func (t *Tap) flushSilent(now int64) {
	t.relay.mu.Lock()
	defer t.relay.unlock()
	if at := t.batch.opened.Load(); !t.closed && at != 0 && now-at >= batchSilence {
		t.flush(now)
	}
}
