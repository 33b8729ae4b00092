package txn

import (
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
// A datagram peer that refuses is dead (RFC 3261 §18.4). A connection that an
// earlier exchange left open may have been closed for idleness just as we sent:
// that is worth one more connection. One made for this request and closed
// without an answer is a refusal, unless it was our own idea to use TCP. After
// a 1xx the peer may still answer by a connection of its own, so only a peer
// that does not take ours any more counts as gone.
func (c *clientTx) lost(err error) {
	c.unlink()
	switch {
	case c.state != calling && c.state != proceeding:
	case c.hop == nil:
		c.terminate() // a CANCEL; its INVITE has its own clock
	case !c.reliable:
		c.fail(fmt.Errorf("%w: %w", ErrTransport, err))
	case c.state == calling && c.hop.probe && c.fresh:
		c.hop.missed(err)
	case c.state == calling && (c.fresh || c.again):
		c.fail(fmt.Errorf("%w: %w", ErrTransport, err))
	default:
		c.reconnect()
	}
}

// reconnect takes a new connection to the same peer. Without a 1xx the request
// goes out again, in the same transaction, so that the peer sees a
// retransmission at worst.
func (c *clientTx) reconnect() {
	f := c.flow
	f.Conn = 0
	c.again = true
	c.lane.dial(f, 0, dialWaiter{func(f transport.Flow, err error) {
		switch {
		case c.state != calling && c.state != proceeding:
		case err != nil && c.hop.probe && c.state == calling:
			c.hop.missed(err)
		case err != nil:
			c.fail(fmt.Errorf("%w: %w", ErrTransport, err))
		case c.state == calling:
			c.depart(f, true)
		default:
			c.flow = f
			c.link(pathOf(f))
		}
	}})
}
