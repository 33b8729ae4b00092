package b2bua

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sidetrack/internal/sip/txn"
)

// penalties remember, for all lanes, which endpoints did not answer at all, so
// that not every call finds out for itself: they are asked last, as long as there
// are others (RFC 3263 §4.3 leaves the order among those that failed to us).
// Its lock is a leaf.
type penalties struct {
	n     atomic.Int32 // entries: 0 costs nothing
	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

const (
	penalty      = 30 * time.Second
	maxPenalties = 10_000
)

// punish notes that an endpoint was silent or could not be reached.
func (p *penalties) punish(to txn.Target, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil || len(p.until) >= maxPenalties {
		p.until = map[netip.AddrPort]time.Time{}
	}
	p.until[to.Addr] = now.Add(penalty)
	p.n.Store(int32(len(p.until)))
}

// forgive notes that one has answered.
func (p *penalties) forgive(to txn.Target) {
	if p.n.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.until, to.Addr)
	p.n.Store(int32(len(p.until)))
}

// order puts the punished behind the others, and tells whether there are others.
func (p *penalties) order(found []txn.Target, now time.Time) (ordered []txn.Target, good bool) {
	if p.n.Load() == 0 {
		return found, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var late []txn.Target
	for _, to := range found {
		until, ok := p.until[to.Addr]
		if ok && now.Before(until) {
			late = append(late, to)
			continue
		}
		if ok {
			delete(p.until, to.Addr)
		}
		ordered = append(ordered, to)
	}
	p.n.Store(int32(len(p.until)))
	return append(ordered, late...), len(ordered) > 0
}
