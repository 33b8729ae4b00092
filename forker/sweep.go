package forker

import (
	"net/netip"
	"time"
)

const (
	minSweep = 10 * time.Millisecond
	maxSweep = 250 * time.Millisecond
	tellEach = 10 * time.Second // strangers and floods are logged once per interval and relay
)

// sweep is the engine's one timer: ports that have drained, RTCP that is due,
// backlogs of silent sources, calls without media, strangers and floods to be told of.
func (e *Engine) sweep() {
	defer e.running.Done()
	tick := time.NewTicker(e.sweepInterval())
	defer tick.Stop()
	var relays []*Relay
	var load load
	for {
		select {
		case <-e.stop:
			return
		case <-tick.C:
		}
		now := e.now()
		e.hasty.Store(catchUpShare * int64(e.cfg.Workers))
		for _, p := range e.pools() {
			p.sweep(now)
		}
		e.forgetPools()
		e.mu.Lock()
		relays = e.list(relays[:0])
		e.mu.Unlock()
		var uncounted uint64
		for i, r := range relays {
			uncounted += r.sweep(now)
			relays[i] = nil
		}
		e.adapt(&load, uncounted, now)
	}
}

func (e *Engine) sweepInterval() time.Duration {
	d := e.cfg.Drain / 4
	if e.cfg.Timeout > 0 {
		d = min(d, e.cfg.Timeout/4)
	}
	return min(max(d, minSweep), maxSweep)
}

// sweep does what has become due on one relay. The timeout's function is
// called, and lines are logged, without the lock. It tells how many copies the
// lanes have sent that are not counted yet.
func (r *Relay) sweep(now int64) (uncounted uint64) {
	timeout, news, uncounted := r.sweepLocked(now)
	for _, n := range news {
		if n.strangers > 0 {
			r.engine.cfg.Log.Warn("media from strangers dropped", "stream", n.stream, "side", n.side.String(),
				"from", n.intruder, "packets", n.strangers, "expected", n.party)
		}
		if n.excess > 0 {
			r.engine.cfg.Log.Warn("media beyond the permitted rate dropped", "stream", n.stream, "side", n.side.String(),
				"from", n.party, "packets", n.excess)
		}
	}
	if timeout != nil {
		timeout()
	}
	return uncounted
}

// sweepLocked is the part of sweep with the lock. A fault of ours met in it costs what this relay had due, not the
// process: copies that leave late go the way of those that leave at once.
func (r *Relay) sweepLocked(now int64) (timeout func(), news []dropNews, uncounted uint64) {
	r.mu.Mutex.Lock() // not through relayLock: lanes are closed where what they have counted matters
	defer r.unlock()
	if r.closed {
		r.mu.settle()
		r.sweepLeaving(now)
		return nil, nil, 0
	}
	for _, t := range r.taps {
		if t.reportDue(now) {
			r.mu.settle()
			t.sendReports(now)
		}
		t.catchUpIdle(now) // waits for nobody: such taps have no lane
	}
	r.idleKeys(now)
	return r.timedOut(now), r.news(now), r.mu.uncounted()
}

// timedOut gives the function to call when no party that should send has done
// so for the configured time; once.
func (r *Relay) timedOut(now int64) (f func()) {
	limit := r.engine.timeout.Load()
	if limit == 0 || r.onTimeout == nil {
		return nil
	}
	newest, expected := r.newest()
	if expected && now-newest >= limit {
		r.mu.settle() // what lanes have heard
		newest, expected = r.newest()
	}
	if !expected {
		r.since = now // held: the time starts when it ends
		return nil
	}
	if now-newest < limit {
		return nil
	}
	f, r.onTimeout = r.onTimeout, nil
	return f
}

// newest is when a party that should send was heard last, and whether there is one.
func (r *Relay) newest() (at int64, expected bool) {
	at = r.since
	for _, s := range r.streams {
		for side := range s.legs {
			if rm := &s.legs[side].remote; rm.Sends && rm.RTPKind && !rm.Disabled {
				expected = true
				at = max(at, s.flows[side].lastRTP)
			}
		}
	}
	return at, expected
}

// dropNews is what a flow has dropped since it was told last.
type dropNews struct {
	stream            int
	side              Side
	intruder, party   netip.AddrPort
	strangers, excess uint64
}

// news collects what is new since the last time, once per interval.
func (r *Relay) news(now int64) (news []dropNews) {
	if now < r.tellAt {
		return nil
	}
	for i, s := range r.streams {
		for side := range s.flows {
			c := &s.flows[side].counts
			if c.strangers == 0 && c.excess == 0 {
				continue
			}
			told := c.refused()
			if c.strangers == told.strangers && c.excess == told.excess {
				continue
			}
			party := s.legs[side].media.target()
			news = append(news, dropNews{i, Side(side), told.intruder, party, c.strangers - told.strangers, c.excess - told.excess})
			told.strangers, told.excess = c.strangers, c.excess
		}
	}
	if news != nil {
		r.tellAt = now + int64(tellEach)
	}
	return news
}
