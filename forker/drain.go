package forker

import (
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
	since int64
	ripe  bool // it is being closed; guarded by the pool's mu
}

// release takes a pair back. What still arrives on it is discarded.
func (p *portPool) release(pair *portPair) {
	now := p.now()
	d := &drainingPair{pair: pair, since: now}
	d.quiet.last = now
	r := &route{kind: routeQuiet, quiet: &d.quiet}
	if err := pair.attach(r, r); err != nil {
		p.log.Debug("watching a released port", "port", pair.port, "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states[p.index(pair)] = portDraining
	p.used--
	p.draining = append(p.draining, d)
}

// sweep frees the pairs that have been silent long enough, or are never going
// to be. It does not wait for them: a busy worker closes many at a time.
func (p *portPool) sweep(now int64) {
	for _, d := range p.ripe(now) {
		d.pair.close(func() { p.free(d, now) })
	}
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
			h.inherit(d.pair.port, shunned)
		}
	}()
	p.states[i] = portFree
	for k, other := range p.draining {
		if other == d {
			p.draining[k] = p.draining[len(p.draining)-1]
			p.draining = p.draining[:len(p.draining)-1]
			break
		}
	}
	if last, from := d.quiet.get(); now-last < p.drain {
		p.shunned[i], shunned = from, from
	}
}

// closeAll closes every draining pair at once; the engine's end.
func (p *portPool) closeAll() {
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

func (p *portPool) index(pair *portPair) int { return (pair.port - p.first) / 2 }
