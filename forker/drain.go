package forker

import (
	"errors"
	"net/netip"
	"sync"
)

// silent notices whether somebody still speaks to a released pair.
type silent struct {
	mu   sync.Mutex
	last int64
	from netip.AddrPort
}

func (s *silent) heard(from netip.AddrPort, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.from = now, from
}

func (s *silent) get() (last int64, from netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.from
}

// drainingPair is a released pair, still bound.
type drainingPair struct {
	pair  *portPair
	quiet silent
	route route // to quiet

	// guarded by the pool's mu
	since   int64 // it drains, or rests
	known   int64 // it rests: when it was heard last until then
	place   int   // among those that drain
	ripe    bool  // it is being closed
	listens bool  // what comes to its RTP port is read
}

// release takes a pair back. What still arrives on it is discarded. The RTP port of a copy that may rest
// is not read now either; what waits there is seen when it is to rest.
func (p *portPool) release(pair *portPair) {
	now := p.now()
	d := &drainingPair{pair: pair, since: now, listens: !pair.deaf || p.resting.most == 0}
	d.quiet.last = now
	d.route = route{kind: routeQuiet, quiet: &d.quiet}
	err := pair.rtcp.attach(&d.route)
	if d.listens {
		err = errors.Join(err, pair.rtp.attach(&d.route))
	}
	if err != nil {
		p.log.Debug("watching a released port", "port", pair.port, "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states[p.index(pair)] = portDraining
	p.used--
	p.drains(d)
}

// drains and drained keep the list of draining pairs; the caller holds mu.
func (p *portPool) drains(d *drainingPair) {
	d.place = len(p.draining)
	p.draining = append(p.draining, d)
}

func (p *portPool) drained(d *drainingPair) {
	end := len(p.draining) - 1
	if end < 0 {
		return // after closeAll
	}
	last := p.draining[end]
	p.draining[d.place], last.place = last, d.place
	p.draining[end] = nil
	p.draining = p.draining[:end]
}

// sweep frees the pairs that have been silent long enough, or are never going
// to be, and closes those that have rested enough. It does not wait for them: a busy worker closes many at a time.
func (p *portPool) sweep(now int64) {
	for _, d := range p.ripe(now) {
		switch {
		case !d.listens && p.driver.unread(d.pair):
			p.listen(d, now)
		case !p.rest(d, now):
			d.pair.close(func() { p.free(d, now) })
		}
	}
	p.rouse(func(d *drainingPair) bool { return now-d.since >= restFor || d.disturbed() })
}

// listen has the RTP port of a copy drain to which somebody has spoken.
func (p *portPool) listen(d *drainingPair, now int64) {
	d.quiet.heard(netip.AddrPort{}, now)
	if err := d.pair.rtp.attach(&d.route); err != nil {
		p.log.Debug("watching a released port", "port", d.pair.port, "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d.listens, d.ripe = true, false
}

// ripe marks and returns what can be closed.
func (p *portPool) ripe(now int64) (ripe []*drainingPair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.draining {
		last, _ := d.quiet.get()
		if !d.ripe && (now-last >= p.drain || now-d.since >= int64(maxDrain)) {
			d.ripe = true
			ripe = append(ripe, d)
		}
	}
	return ripe
}

// free makes a closed pair usable again.
func (p *portPool) free(d *drainingPair, now int64) {
	i := p.index(d.pair)
	p.mu.Lock()
	heirs, shunned := p.heirs, netip.AddrPort{}
	defer func() {
		p.mu.Unlock()
		for _, h := range heirs {
			h.inherit(int(d.pair.port), shunned)
		}
	}()
	p.states[i] = portFree
	p.drained(d)
	if last, from := d.quiet.get(); now-last < p.drain {
		p.shunned[i], shunned = from, from
	}
}

// closeAll closes every pair at once that drains or rests; the engine's end.
func (p *portPool) closeAll() {
	p.retire()
	p.mu.Lock()
	draining := p.draining
	p.draining = nil
	for _, d := range draining {
		p.states[p.index(d.pair)] = portFree
	}
	p.mu.Unlock()
	for _, d := range draining {
		if !d.ripe {
			d.pair.close(nil)
		}
	}
}

func (p *portPool) index(pair *portPair) int { return (int(pair.port) - p.first) / 2 }
