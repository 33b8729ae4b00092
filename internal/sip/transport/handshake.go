package transport

import (
	"errors"
	"net/netip"
	"sync"
	"time"
)

// A TLS handshake costs as much as some calls, and the caller nothing. How many one
// source may have in a second is bounded, so that whoever connects again and again
// leaves calls their processors; who comes too fast waits for his turn, as phones
// behind one address do that all come back after a restart.
const (
	handshakeEvery    = 20 * time.Millisecond // of one source
	handshakeBurst    = 200                   // at once
	handshakePatience = 15 * time.Second      // a longer wait is refused; what one source may have open waits for less
	maxPaced          = 1 << 14               // sources remembered per generation
	pacedAge          = time.Minute
)

var errHandshakeRate = errors.New("too many TLS handshakes from there")

// pacer gives each source its turns. It remembers sources in two generations of
// bounded size; the lock is a leaf.
type pacer struct {
	every    time.Duration // between two turns of a source
	burst    time.Duration // how far turns may be ahead of that
	patience time.Duration

	mu          sync.Mutex
	now, before map[netip.Addr]time.Time // when all turns given so far are over
	since       time.Time
}

func newPacer(every time.Duration, burst int, patience time.Duration) *pacer {
	return &pacer{every: every, burst: time.Duration(burst-1) * every, patience: patience}
}

// turn says how long a source waits for its next turn; ok is false when that is too
// long, and no turn is taken.
func (p *pacer) turn(source netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now == nil || now.Sub(p.since) > pacedAge || len(p.now) >= maxPaced {
		p.before, p.now, p.since = p.now, map[netip.Addr]time.Time{}, now
	}
	next, known := p.now[source]
	if !known {
		next = p.before[source]
	}
	if next.Before(now) {
		next = now
	}
	if wait = max(0, next.Sub(now)-p.burst); wait > p.patience {
		return wait, false
	}
	p.now[source] = next.Add(p.every)
	return wait, true
}

// awaitTurn waits for the connection's turn to shake hands.
func (c *conn) awaitTurn() error {
	wait, ok := c.layer.paced.turn(sourceOf(c.flow.Remote.Addr()), time.Now())
	if !ok {
		c.layer.reject(rejectHandshakes)
		return errHandshakeRate
	}
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.ended:
		return c.reason()
	}
}
