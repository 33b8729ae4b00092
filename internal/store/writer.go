package store

import (
	"slices"
	"time"
)

// run is the writer: the only goroutine that changes the file.
func (s *Store) run() {
	defer close(s.done)
	due := time.NewTimer(0) // at once: what is old goes first
	defer due.Stop()
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	for {
		queue := s.queue
		if len(s.pending) >= maxBatch {
			queue = nil // the disk refuses: the rest waits in the queue
		}
		select {
		case v := <-queue:
			if len(s.pending) == 0 {
				due.Reset(s.cfg.FlushEvery)
			}
			s.pending = append(s.pending, v)
			if len(s.pending) < maxBatch {
				continue
			}
		case <-due.C:
		case <-tidy.C:
		case <-s.quit:
			s.last()
			return
		}
		switch ok := s.flush(); {
		case !ok:
			due.Reset(retryEvery)
		case s.more:
			due.Reset(s.cfg.FlushEvery)
		}
	}
}

// flush writes what is pending, and tidies up. False: it is to be tried again.
func (s *Store) flush() bool {
	if err := s.follow(s.ctx); err != nil {
		s.trouble.tell(0, dropDisk, err)
		return false
	}
	if err := s.prepare(s.ctx); err != nil {
		return s.refused(err)
	}
	batch := newest(s.pending)
	if len(batch) > 0 {
		err := s.write(s.ctx, batch)
		switch {
		case err == nil:
			s.metrics.rows.Add(float64(len(batch)))
			s.pending = s.pending[:0]
		case len(batch) > 1 && !passing(err) && !s.damaged(err) && s.ctx.Err() == nil:
			if ok := s.apart(batch); !ok {
				return false
			}
		default:
			return s.refused(err)
		}
	}
	if err := s.tidy(s.ctx); s.damaged(err) {
		return s.refused(err)
	} else if err != nil {
		s.trouble.tell(0, "tidy", err)
	}
	return true
}

// apart writes each verdict of a batch by itself, for there is one among them that the
// database will not take: the others are not to go with it. False: the rest is to be tried again.
func (s *Store) apart(batch []Verdict) bool {
	for i, v := range batch {
		err := s.write(s.ctx, []Verdict{v})
		switch {
		case err == nil:
			s.metrics.rows.Inc()
		case passing(err) || s.damaged(err):
			s.pending = append(s.pending[:0], batch[i:]...)
			return s.refused(err)
		default:
			s.drop(1, dropError, err)
		}
	}
	s.pending = s.pending[:0]
	return true
}

// refused decides what becomes of a batch that was not written. The disk may
// come back; what the database will never take is dropped.
func (s *Store) refused(err error) bool {
	if s.damaged(err) {
		if err = s.setAside(err); err == nil {
			return false
		}
	}
	if passing(err) || s.db == nil {
		s.trouble.tell(0, dropDisk, err)
		return false
	}
	s.drop(len(s.pending), dropError, err)
	s.pending = s.pending[:0]
	return true
}

// last writes everything, once.
func (s *Store) last() {
	for {
		select {
		case v := <-s.queue:
			s.pending = append(s.pending, v)
			if len(s.pending) < maxBatch {
				continue
			}
		default:
			if len(s.pending) == 0 {
				return
			}
		}
		if !s.flush() {
			s.drop(len(s.pending)+len(s.queue), dropDisk, nil)
			return
		}
	}
}

// newest leaves of each recording the newest verdict only.
func newest(all []Verdict) []Verdict {
	at := make(map[string]int, len(all))
	out := slices.Clone(all)[:0]
	for _, v := range all {
		if i, ok := at[v.ID]; ok {
			out[i] = v
			continue
		}
		at[v.ID] = len(out)
		out = append(out, v)
	}
	return out
}
