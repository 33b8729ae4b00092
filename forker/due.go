package forker

import (
	"sync"
	"time"
)

// dueBatch names a batch by its tap and serial number.
type dueBatch struct {
	tap    *Tap
	serial uint32
	opened int64
}

// dueBatches are the batches begun, oldest first, in a ring.
type dueBatches struct {
	mu   sync.Mutex
	ring []dueBatch
	head int
	n    int
}

func (d *dueBatches) push(t *Tap, serial uint32, now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == len(d.ring) {
		bigger := make([]dueBatch, max(2*d.n, 64))
		for i := range d.n {
			bigger[i] = d.ring[(d.head+i)%len(d.ring)]
		}
		d.ring, d.head = bigger, 0
	}
	d.ring[(d.head+d.n)%len(d.ring)] = dueBatch{t, serial, now}
	d.n++
}

// pop gives the oldest batch if it was begun before that time.
func (d *dueBatches) pop(before int64) (b dueBatch, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == 0 || d.ring[d.head].opened > before {
		return b, false
	}
	b, d.ring[d.head] = d.ring[d.head], dueBatch{}
	d.head = (d.head + 1) % len(d.ring)
	d.n--
	return b, true
}

// flushDue has batches leave whose source has fallen silent.
func (e *Engine) flushDue() {
	defer e.running.Done()
	tick := time.NewTicker(batchTick)
	defer tick.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-tick.C:
		}
		now := e.now()
		for b, ok := e.due.pop(now - batchSilence); ok; b, ok = e.due.pop(now - batchSilence) {
			b.tap.flushSilent(b.serial, now)
		}
	}
}

// load follows how many copies leave, for adaptive batching. The sweeper's.
type load struct {
	at     int64
	copies uint64
}

// adapt switches batching on under load and off without.
func (e *Engine) adapt(l *load, now int64) {
	if !e.adaptive || now-l.at < loadWindow {
		return
	}
	copies := e.copies()
	rate := float64(copies-l.copies) / time.Duration(now-l.at).Seconds() / float64(e.cfg.Workers)
	l.at, l.copies = now, copies
	switch {
	case rate > busyCopies:
		e.batch.Store(adaptiveBatch)
	case rate < idleCopies:
		e.batch.Store(0)
	}
}

// copies is how many copies have left so far.
func (e *Engine) copies() (n uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.recorders {
		n += t.copied.Load()
	}
	return n
}
