package forker

import (
	"context"
	"runtime/debug"
	"sync"

	"sidetrack/internal/dtls"
	"sidetrack/internal/srtp"
)

// Bounds of DTLS.
const (
	maxHandshakes   = 500 // under way at a time, in all calls
	maxAttempts     = 5   // of one association
	maxAssociations = 8   // of one leg: its forks, and new ones in mid-call
)

// gate bounds how many handshakes are under way. Those that we begin wait their turn;
// who begins one himself repeats what he has sent.
type gate struct {
	mu      sync.Mutex
	room    int
	waiting []func() (begun bool) // called without locks, with room for one
}

// enter takes room for a handshake; where there is none, later is called when there is.
// later may be nil.
func (g *gate) enter(later func() bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.room > 0 {
		g.room--
		return true
	}
	if later != nil {
		g.waiting = append(g.waiting, later)
	}
	return false
}

// leave gives the room to the first who still wants it.
func (g *gate) leave() {
	for {
		g.mu.Lock()
		if len(g.waiting) == 0 {
			g.room++
			g.mu.Unlock()
			return
		}
		next := g.waiting[0]
		g.waiting[0] = nil
		if g.waiting = g.waiting[1:]; len(g.waiting) == 0 {
			g.waiting = nil
		}
		g.mu.Unlock()
		if next() {
			return
		}
	}
}

// association is the DTLS of a leg (RFC 5764): where its keys come from. The
// handshake has a goroutine of its own and sees the packet path through a pipe.
// Guarded by the relay's mutex.
type association struct {
	peer        *dtls.Peer
	pipe        *dtls.Pipe // nil: nothing is under way
	cancel      context.CancelFunc
	attempts    int
	waits       bool      // for room to begin
	own, theirs *srtp.Key // once it has come to an end
}

// associate finds or makes the association that SDP speaks of, and puts its keys
// in force if it has any.
func (e *ending) associate(r *Relay, l *leg, peer *dtls.Peer) {
	e.dtls = nil
	for _, a := range e.associations {
		if a.peer.Same(peer) {
			e.dtls = a
		}
	}
	if e.dtls == nil && len(e.associations) < maxAssociations {
		e.dtls = &association{peer: peer}
		e.associations = append(e.associations, e.dtls)
	}
	switch a := e.dtls; {
	case a == nil:
		e.key(nil, nil)
	case a.own != nil:
		e.key(a.own, a.theirs)
	default:
		e.out = nil // nothing leaves under another association's keys
		if peer.Client {
			a.begin(r, l)
		}
	}
}

// heard gives a record of DTLS to the handshake; the first one begins it where we
// are the server.
func (a *association) heard(r *Relay, l *leg, b []byte) {
	if a.pipe == nil && a.own == nil {
		a.begin(r, l)
	}
	if a.pipe != nil {
		a.pipe.Feed(b)
	}
}

// begin starts a handshake. The caller holds the relay's mutex.
func (a *association) begin(r *Relay, l *leg) {
	e := r.engine
	if a.pipe != nil || a.waits || a.attempts >= maxAttempts {
		return
	}
	var later func() bool
	if a.peer.Client {
		later = func() bool { return a.resume(r, l) }
	}
	if !e.gate.enter(later) {
		a.waits = later != nil
		e.cfg.Log.Warn("a DTLS handshake waits: too many are under way", "side", l.side.String())
		return
	}
	a.shake(r, l)
}

// resume begins a handshake that has waited, when it is still wanted.
func (a *association) resume(r *Relay, l *leg) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.waits = false
	if r.closed || a.pipe != nil || a.own != nil || l.ended == nil || l.ended.dtls != a {
		return false
	}
	a.shake(r, l)
	return true
}

// shake has a goroutine shake hands. The caller holds the relay's mutex.
func (a *association) shake(r *Relay, l *leg) {
	e := r.engine
	a.attempts++
	pipe := dtls.NewPipe(func(b []byte) { r.sendDTLS(l, b) })
	ctx, cancel := context.WithCancel(context.Background())
	a.pipe, a.cancel = pipe, cancel
	leave := sync.OnceFunc(e.gate.leave) // once it is over, or has its keys
	e.handshakes.Go(func() {
		defer leave()
		defer cancel()
		defer r.faulty()
		err := a.peer.Run(ctx, pipe, func(own, theirs *srtp.Key) {
			leave()
			r.keyed(l, a, own, theirs)
		})
		r.shaken(a, pipe)
		if err != nil && ctx.Err() == nil { // else the call is over
			e.cfg.Log.Warn("no keys by DTLS", "side", l.side.String(), "error", err)
		}
	})
}

// sendDTLS sends a record to the party, from where it gets its media.
func (r *Relay) sendDTLS(l *leg, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if addr := l.media.target(); addr.IsValid() {
		_ = l.pair.rtp.send(b, addr) // lost, like any datagram: it is sent again
	}
}

// keyed puts the keys of an association in force, if it still is the leg's.
func (r *Relay) keyed(l *leg, a *association, own, theirs *srtp.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.own, a.theirs = own, theirs
	if l.ended != nil && l.ended.dtls == a {
		l.ended.key(own, theirs)
	}
}

// faulty ends a handshake in which a fault of ours was met, and nothing else.
func (r *Relay) faulty() {
	if p := recover(); p != nil {
		r.engine.cfg.Log.Error("shaking hands", "panic", p, "stack", string(debug.Stack()))
	}
}

// shaken notes that a handshake is over.
func (r *Relay) shaken(a *association, pipe *dtls.Pipe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.pipe == pipe {
		a.pipe = nil
	}
}

// hangUp ends the handshakes of a leg. The caller holds the relay's mutex.
func (l *leg) hangUp() {
	if l.ended == nil {
		return
	}
	for _, a := range l.ended.associations {
		if a.cancel != nil {
			a.cancel()
		}
	}
}
