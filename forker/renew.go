package forker

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"
)

// Settings are what may change while calls run.
type Settings struct {
	Listen, Advertise netip.Addr
	PortMin, PortMax  int
	DSCP              int
	Interfaces        map[string]Interface
	Timeout           time.Duration
	LatchAnywhere     bool
	MaxRate           int
	Batch             int
}

// Prepare checks settings; swap puts them in force. Pairs of ports that are in use
// stay what they are; new ones, those of running calls included, come from the
// new ranges.
func (e *Engine) Prepare(to Settings) (swap func(), err error) {
	cfg := e.cfg
	cfg.Listen, cfg.Advertise, cfg.PortMin, cfg.PortMax, cfg.DSCP = to.Listen, to.Advertise, to.PortMin, to.PortMax, to.DSCP
	cfg.Interfaces, cfg.Timeout, cfg.LatchAnywhere, cfg.MaxRate = to.Interfaces, to.Timeout, to.LatchAnywhere, to.MaxRate
	cfg.Batch = to.Batch
	if err := cfg.normalize(); err != nil {
		return nil, fmt.Errorf("checking the media configuration: %w", err)
	}
	return func() {
		bound := e.maxRate.Load()
		e.put(&cfg)
		e.collectCopies(cfg.Batch)
		if e.maxRate.Load() != bound {
			e.settle() // lanes go by the one before
		}
	}, nil
}

// portSets are the pools of all interfaces.
type portSets struct {
	first  *portPool
	named  map[string]*portPool
	former []formerPool // replaced or removed, until all their pairs are closed
}

type formerPool struct {
	name string
	*portPool
}

// put puts a checked configuration in force.
func (e *Engine) put(cfg *Config) {
	e.timeout.Store(int64(cfg.Timeout))
	e.anywhere.Store(cfg.LatchAnywhere)
	e.maxRate.Store(int64(cfg.MaxRate))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	was, now := e.ports.Load(), &portSets{named: map[string]*portPool{}}
	if was == nil {
		was = &portSets{}
	}
	now.former = slices.Clone(was.former)
	keep := func(name string, before *portPool, place Interface) *portPool {
		if before != nil && before.place == place {
			return before
		}
		if before != nil {
			before.retire()
			now.former = append(now.former, formerPool{name, before})
		}
		return newPortPool(e.driver, place, &e.cfg, e.now)
	}
	now.first = keep("", was.first, cfg.first())
	for name, place := range cfg.Interfaces {
		now.named[name] = keep(name, was.named[name], place)
	}
	for name, p := range was.named {
		if now.named[name] == nil {
			p.retire()
			now.former = append(now.former, formerPool{name, p})
		}
	}
	now.former = slices.DeleteFunc(now.former, func(f formerPool) bool { return f.end() })
	e.ports.Store(now)
	for _, f := range now.former {
		f.bequeath(now.current())
	}
}

func (s *portSets) current() []*portPool {
	all := []*portPool{s.first}
	for _, p := range s.named {
		all = append(all, p)
	}
	return all
}

// take takes a pair of an interface.
func (e *Engine) take(name string, worker int, deaf bool) (*portPair, error) {
	for {
		p := e.ports.Load().pool(name)
		pair, err := p.take(worker, deaf)
		if err == nil {
			return pair, nil
		}
		if errors.Is(err, ErrNoPorts) {
			e.rouse()
		}
		if !p.ended() {
			return nil, err
		}
	}
}

// rouse closes what rests: the next call has the ports and descriptors.
func (e *Engine) rouse() {
	for _, p := range e.pools() {
		p.rouseAll()
	}
}

// pool gives the ports of an interface. One that has been removed serves the
// calls that it has.
func (s *portSets) pool(name string) *portPool {
	if p := s.named[name]; p != nil {
		return p
	}
	for _, f := range s.former {
		if name != "" && f.name == name {
			return f.portPool
		}
	}
	return s.first
}

// pools are those of all interfaces, former ones included.
func (e *Engine) pools() []*portPool {
	s := e.ports.Load()
	all := s.current()
	for _, f := range s.former {
		all = append(all, f.portPool)
	}
	return all
}

// forgetPools lets go of former pools that are empty.
func (e *Engine) forgetPools() {
	if len(e.ports.Load().former) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := *e.ports.Load()
	now.former = slices.DeleteFunc(slices.Clone(now.former), func(f formerPool) bool { return f.end() })
	e.ports.Store(&now)
}

// end closes an empty pool to those who have found it before.
func (p *portPool) end() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = p.used == 0 && len(p.draining) == 0
	return p.gone
}

func (p *portPool) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// heldBefore stands in foreign for a pair that a former pool has.
const heldBefore = math.MaxInt64

// bequeath has those pools on the same address leave alone the pairs that this
// one still has, until it gives them up.
func (p *portPool) bequeath(to []*portPool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heirs = []*portPool{}
	for _, heir := range to {
		if p.place.Listen != heir.place.Listen && !p.place.Listen.IsUnspecified() && !heir.place.Listen.IsUnspecified() {
			continue
		}
		p.heirs = append(p.heirs, heir)
		heir.mu.Lock() // always the younger one
		for i, state := range p.states {
			k, mine := heir.pairOf(p.first + 2*i)
			if state != portFree && mine && heir.states[k] == portFree && heir.foreign[k] != heldBefore {
				heir.foreign[k] = heldBefore
				heir.held++
			}
		}
		heir.mu.Unlock()
	}
}

// inherit takes over a pair that a former pool has given up.
func (p *portPool) inherit(port int, shunned netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, mine := p.pairOf(port)
	if !mine || p.foreign[i] != heldBefore {
		return
	}
	delete(p.foreign, i)
	p.held--
	if shunned.IsValid() {
		p.shunned[i] = shunned
	}
}

// pairOf is the pair that begins with a port; false where that is no pair of ours.
func (p *portPool) pairOf(port int) (int, bool) {
	i := (port - p.first) / 2
	return i, port >= p.first && i < len(p.states)
}
