package forker

import (
	"sync"
	"time"
)

// dueBatches are the taps that have collected at one time or another. Their
// batches are looked at without their relays' locks, as nearly all of them leave
// in time by the packets that come.
type dueBatches struct {
	mu   sync.Mutex
	taps []*Tap
	ripe []*Tap // scratch of the flusher
}

// add has a tap looked at from now on.
func (d *dueBatches) add(t *Tap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taps = append(d.taps, t)
	if cap(d.ripe) < len(d.taps) { // all at once is as many as there may be: the flusher, which may still read the one before, allocates nothing
		d.ripe = make([]*Tap, 0, cap(d.taps))
	}
	t.batch.place = len(d.taps)
}

// remove undoes add; a tap that was not added may be given.
func (d *dueBatches) remove(t *Tap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t.batch.place == 0 {
		return
	}
	last := d.taps[len(d.taps)-1]
	d.taps[t.batch.place-1], last.batch.place = last, t.batch.place
	d.taps[len(d.taps)-1] = nil
	d.taps = d.taps[:len(d.taps)-1]
	t.batch.place = 0
}

// begun gives the taps whose batch was begun before that time; valid until the
// next call.
func (d *dueBatches) begun(before int64) []*Tap {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.ripe)
	d.ripe = d.ripe[:0]
	for _, t := range d.taps {
		if at := t.batch.opened.Load(); at != 0 && at <= before {
			d.ripe = append(d.ripe, t)
		}
	}
	return d.ripe
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
		for _, t := range e.due.begun(now - batchSilence) {
			t.flushSilent(now)
		}
	}
}

// load follows how many copies leave, for adaptive batching. The sweeper's.
type load struct {
	at     int64
	copies uint64
}

// adapt switches batching on under load and off without, where that is wanted;
// uncounted copies have left, too.
func (e *Engine) adapt(l *load, uncounted uint64, now int64) {
	if now-l.at < loadWindow {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	copies := e.copies() + uncounted
	rate := (float64(copies) - float64(l.copies)) / time.Duration(now-l.at).Seconds()
	l.at, l.copies = now, copies
	switch {
	case e.batches != BatchAdaptive:
	case rate > busyCopies:
		e.batch.Store(adaptiveBatch)
	case rate < idleCopies:
		e.batch.Store(0)
	}
}

// copies is how many copies have left so far; the caller holds mu.
func (e *Engine) copies() (n uint64) {
	for _, t := range e.recorders {
		n += t.copied.Load()
	}
	return n
}
