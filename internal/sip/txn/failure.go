package txn

import (
	"errors"
	"fmt"

	"sidetrack/internal/sip/transport"
)

// pathFailed tells those that wait for an answer on a broken path.
func (l *Lane) pathFailed(f transport.Failure) {
	for c := l.waiting[pathOf(f.Flow)]; c != nil; {
		next := c.next
		l.guarded(func() { c.lost(f.Err) })
		c = next
	}
}

// lost handles the loss of the path under a transaction without final response.
//
// What the network says of a datagram's path is a hint: it may be over in a second
// (RFC 1122 §3.2.2.1), or come from somebody who only pretends. So a peer is dead
// (RFC 3261 §18.4) when it has been said twice and the request been repeated, but for a
// request that has nowhere else to go. A connection that an
// earlier exchange left open may have been closed for idleness just as we sent:
// that is worth one more connection. One made for this request and closed
// without an answer is a refusal, unless it was our own idea to use TCP. After
// a 1xx the peer may still answer by a connection of its own, so only a peer
// that does not take ours any more counts as gone.
func (c *clientTx) lost(err error) {
	if c.state != calling && c.state != proceeding {
		return
	}
	c.unlink()
	switch {
	case !c.reliable && c.patient():
		c.doubted = true // A or E goes on
	case !c.reliable && !(c.doubted && c.repeated):
		c.doubted = true
		c.link(pathOf(c.flow))
	case c.cancels() && c.idle:
		c.terminate()
	case !c.reliable:
		c.fail(fmt.Errorf("%w: %w", ErrTransport, err))
	case c.state == calling && c.probing() && c.fresh:
		c.hop.missed(err)
	case c.state == calling && (c.fresh || c.again) && !c.patient():
		c.fail(fmt.Errorf("%w: %w", ErrTransport, err))
	case c.again:
		c.pause()
	default:
		c.reconnect()
	}
}

// patient tells whether a broken path is waited out (Target.Patient). So it is for
// a CANCEL, without which somebody would be rung for nobody.
func (e *errand) patient() bool { return e.cancels() || e.hop.to.Patient }

func (e *errand) probing() bool { return e.hop.probe }

// cancels tells that it is that of a CANCEL, while there is no final response.
func (e *errand) cancels() bool { return e.hop.req == nil }

// pause waits a while before the next connection, longer each time: a peer that
// takes connections only to close them is not asked for one per round trip.
func (c *clientTx) pause() {
	cfg := &c.lane.layer.cfg
	c.interval = min(max(2*c.interval, cfg.T1), cfg.T2)
	c.resend.set(c.lane, c.interval)
}

// reconnect takes a new connection to the same peer. Without a 1xx the request
// goes out again, in the same transaction, so that the peer sees a
// retransmission at worst.
func (c *clientTx) reconnect() {
	c.resend.Stop() // of a probe
	f := c.flow
	f.Conn = 0
	c.again = true
	c.lane.dial(f, 0, dialWaiter{func(f transport.Flow, err error) {
		switch {
		case c.state != calling && c.state != proceeding:
		case err != nil && c.probing() && c.state == calling:
			c.hop.missed(err)
		case err != nil:
			c.strand(err)
		case c.state == calling && c.cancels():
			c.departAs(f)
		case c.state == calling:
			c.depart(f, true)
		default:
			c.flow = f
			c.link(pathOf(f))
		}
	}})
}

// strand ends a request for which there is no path, unless one is worth waiting
// for (traveller).
func (c *clientTx) strand(err error) {
	switch {
	case c.errand == nil:
	case c.patient() && !errors.Is(err, errNoListener) && !errors.Is(err, errNoTarget):
		c.doubted = true
		c.pause()
	default:
		c.fail(fmt.Errorf("%w: %w", ErrTransport, err))
	}
}

// silence is why a request ends without an answer: that of the network, where it
// has told that the peer cannot be reached.
func (c *clientTx) silence() error {
	if c.doubted {
		return fmt.Errorf("%w, and %w", ErrTransport, ErrTimeout)
	}
	return ErrTimeout
}
