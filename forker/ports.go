package forker

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// portState is what a pair of the range is doing.
type portState uint8

const (
	portFree portState = iota
	portUsed
	portDraining
	portResting // free, and bound still
)

// foreignRest is how long a port that another program holds is left alone.
const foreignRest = 10 * time.Second

// portPair is an even port and the odd one above it, both bound (RFC 3550 §11).
type portPair struct {
	pool    *portPool
	port    uint16 // the even one
	worker  uint16 // that reads it
	deaf    bool   // a copy's: nothing but RTCP is read
	rtp     socket
	rtcp    socket
	shunned netip.AddrPort // spoke to this port until it was given up before
}

func (p *portPair) attach(rtp, rtcp *route) error {
	return errors.Join(p.rtp.attach(rtp), p.rtcp.attach(rtcp))
}

func (p *portPair) shelf() shelf { return shelf{p.worker, p.deaf} }

// close gives both ports up; see socket.close. Both are on one worker, which
// closes them in this order.
func (p *portPair) close(closed func()) {
	p.rtp.close(nil)
	p.rtcp.close(closed)
}

// release gives the pair back to its pool.
func (p *portPair) release() { p.pool.release(p) }

// portPool hands out the pairs of one interface. A released pair stays bound until
// nobody has spoken to it for the drain time, so that one call's late media
// never reaches another, and may rest then (rest.go); one that never gets silent is given up after maxDrain,
// and who still speaks to it then is not believed by its next user.
type portPool struct {
	driver driver
	place  Interface
	first  int // even port of pair 0
	drain  int64
	now    func() int64
	log    *slog.Logger

	mu       sync.Mutex
	states   []portState
	foreign  map[int]int64 // pair → when it may be tried again
	shunned  map[int]netip.AddrPort
	cursor   int
	used     int
	draining []*drainingPair
	resting  resting
	retired  bool        // no pair rests any more
	held     int         // of foreign: pairs of a pool before this one
	heirs    []*portPool // told of pairs that this one gives up; nil: it is in use
	gone     bool        // no pair is taken from it any more
}

func newPortPool(d driver, i Interface, cfg *Config, now func() int64) *portPool {
	first := i.PortMin + i.PortMin%2
	n := (i.PortMax - first + 1) / 2
	p := &portPool{
		driver: d, place: i, first: first, drain: int64(cfg.Drain), now: now, log: cfg.Log,
		states: make([]portState, n), foreign: make(map[int]int64), shunned: make(map[int]netip.AddrPort),
	}
	p.cursor = rand.IntN(n)
	p.resting.most = d.keeps()
	return p
}

// take gives a pair that this worker reads: one that rests, or a free one that it binds; deaf pairs get the
// smallest buffers for media.
func (p *portPool) take(worker int, deaf bool) (*portPair, error) {
	if pair := p.reuse(shelf{uint16(worker), deaf}); pair != nil {
		return pair, nil
	}
	if p.short() {
		p.rouseAll()
	}
	for range len(p.states) {
		i, ok := p.reserve()
		if !ok {
			break
		}
		pair, err := p.bind(i, worker, deaf)
		if err == nil {
			return pair, nil
		}
		p.giveBack(i, portTaken(err))
		switch {
		case exhausted(err):
			return nil, fmt.Errorf("%w: %w", ErrNoPorts, err)
		case !portTaken(err):
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: all of %d-%d in use", ErrNoPorts, p.first, p.first+2*len(p.states)-1)
}

// reserve marks the next free pair used.
func (p *portPool) reserve() (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return 0, false
	}
	now := p.now()
	for range p.states {
		i := p.cursor
		p.cursor = (p.cursor + 1) % len(p.states)
		if p.states[i] != portFree {
			continue
		}
		if until, ok := p.foreign[i]; ok {
			if now < until {
				continue
			}
			delete(p.foreign, i)
		}
		p.states[i] = portUsed
		p.used++
		return i, true
	}
	return 0, false
}

// giveBack undoes reserve.
func (p *portPool) giveBack(i int, taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states[i] = portFree
	p.used--
	if taken {
		p.foreign[i] = p.now() + int64(foreignRest)
	}
}

func (p *portPool) bind(i int, worker int, deaf bool) (*portPair, error) {
	port, buffer, local := p.first+2*i, mediaBuffer, p.place.Listen
	if deaf {
		buffer = deafBuffer
	}
	rtp, err := p.driver.bind(netip.AddrPortFrom(local, uint16(port)), buffer, worker)
	if err != nil {
		return nil, err
	}
	rtcp, err := p.driver.bind(netip.AddrPortFrom(local, uint16(port+1)), controlBuffer, worker)
	if err != nil {
		rtp.close(nil)
		return nil, err
	}
	if p.place.DSCP > 0 {
		if err := errors.Join(rtp.mark(p.place.DSCP), rtcp.mark(p.place.DSCP)); err != nil {
			p.log.Warn("marking media", "dscp", p.place.DSCP, "error", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	pair := &portPair{pool: p, port: uint16(port), worker: uint16(worker), deaf: deaf, rtp: rtp, rtcp: rtcp, shunned: p.shunned[i]}
	delete(p.shunned, i)
	return pair, nil
}

// stats counts single ports; those that other programs hold count as free.
func (p *portPool) stats() PortStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := len(p.draining)
	stats := PortStats{Used: 2 * p.used, Draining: 2 * d}
	if p.heirs == nil && !p.gone { // else the free ones are the heirs'
		stats.Free = 2 * (len(p.states) - p.used - d - p.held)
	}
	return stats
}
