package txn

import (
	"bytes"
	"errors"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// sent moves the machine on after a response of the TU.
func (c *serverTx) sent(status int) {
	if status < 200 {
		c.state = proceeding
		if c.invite {
			c.resend.Stop() // no automatic 100 any more
		}
		return
	}
	c.status = uint16(status)
	if status >= 300 {
		c.unmerge() // who was refused may try the same once more, by another way (RFC 3263 §4.3)
	}
	switch {
	case !c.invite:
		c.completeOther()
	case status < 300:
		c.accept()
	default:
		c.completeInvite()
	}
}

// completeOther: Timer J absorbs retransmissions (§17.2.2); a stream has none.
func (c *serverTx) completeOther() {
	c.state = completed
	c.release()
	if c.reliable {
		c.terminate()
		return
	}
	c.life.outlast(c.lane, 64*c.lane.layer.cfg.T1)
}

// completeInvite: Timer G resends on UDP until the ACK comes or Timer H ends
// the waiting (§17.2.1).
func (c *serverTx) completeInvite() {
	c.state = completed
	c.release()
	c.life.outlast(c.lane, 64*c.lane.layer.cfg.T1)
	c.resend.Stop()
	if !c.reliable {
		c.interval = c.lane.layer.cfg.T1
		c.resend.set(c.lane, c.interval)
	}
}

// accept: Timer L absorbs retransmissions of the INVITE (RFC 6026 §7.1) while
// the 2xx is resent, on streams too, as hops beyond may be UDP (§13.3.1.4).
func (c *serverTx) accept() {
	c.state = accepted
	c.life.outlast(c.lane, 64*c.lane.layer.cfg.T1)
	c.interval = c.lane.layer.cfg.T1
	c.resend.set(c.lane, c.interval)
}

// retransmitted answers a repeated request with the last response.
func (c *serverTx) retransmitted(req *sip.Message, flow transport.Flow) {
	moved := c.follow(req, flow)
	switch {
	case c.state == proceeding && c.invite && c.last == nil:
		c.tryingNow()
	case c.state == proceeding, c.state == completed:
		c.send(c.last, c.slot)
	case c.state == accepted && moved && c.last != nil: // else its repetition goes on by itself
		c.send(c.last, c.slot)
	}
}

// follow has the responses go to where a request of the transaction came from now,
// and tells whether that is another place: the client has made a new connection for
// the one that closed, or has another port at its NAT (RFC 3581 §4). A connection
// that is still open stays, for the client may have several.
func (c *serverTx) follow(req *sip.Message, flow transport.Flow) bool {
	if flow.Proto != c.flow.Proto || flow.Conn == c.flow.Conn && flow.Remote == c.flow.Remote {
		return false
	}
	if c.reliable {
		if _, open := c.lane.layer.cfg.Transport.Find(c.flow); open {
			return false
		}
		c.back.addr = transport.ReconnectAddr(req, flow)
	} else {
		flow = transport.ResponseFlow(req, flow)
		if flow.Remote == c.flow.Remote || flow.Remote.Addr() != c.flow.Remote.Addr() {
			return false
		}
	}
	c.flow = flow
	return true
}

// acknowledged handles the ACK of a non-2xx: Timer I absorbs further ones.
func (c *serverTx) acknowledged() {
	if c.state != completed || !c.invite {
		return
	}
	c.resend.Stop()
	if c.reliable {
		c.terminate()
		return
	}
	c.state, c.last = confirmed, nil
	c.life.outlast(c.lane, c.lane.layer.cfg.T4)
}

func (c *serverTx) expired(t *Timer) {
	if t == &c.life {
		c.lifeOver()
		return
	}
	switch c.state {
	case proceeding:
		c.tryingNow()
	case completed, accepted:
		c.send(c.last, c.slot)
		c.interval = min(2*c.interval, c.lane.layer.cfg.T2)
		c.resend.set(c.lane, c.interval)
	}
}

// lifeOver ends the transaction: H, I, J, L, or nobody has answered.
func (c *serverTx) lifeOver() {
	noAck := c.noAck
	unacked := c.state == accepted && c.outer != nil
	if c.state == trying || (c.state == proceeding && !c.invite) {
		c.lane.layer.metrics.reject(rejectUnanswered)
	}
	c.terminate()
	if unacked && noAck != nil {
		noAck()
	}
}

func (c *serverTx) tryingNow() {
	if c.outer != nil {
		c.outer.Reply(100, "")
	}
}

// send writes to the client; a stream that is gone is replaced by a new
// connection to where its Via says it listens (§18.2.2). A 1xx that had to wait for
// it does not come after the final response, which may have found a way before.
func (c *serverTx) send(b []byte, s slot) { c.deliver(b, s, 0) }

// deliver is send, for the first time or once more: to a client that is slow to read,
// who does not repeat what he has sent by a stream, a final response is offered again
// until he reads or his connection is closed for it.
func (c *serverTx) deliver(b []byte, s slot, tries int) {
	err := c.lane.layer.send(c.flow, b, s)
	switch {
	case err == nil || !c.reliable:
		return
	case errors.Is(err, transport.ErrQueueFull):
		if tries < maxOffers && !provisional(b) {
			c.lane.After(c.lane.layer.cfg.T1<<tries, func() {
				if !c.invite || c.status >= 300 { // a 2xx to an INVITE is repeated anyway
					c.deliver(b, s, tries+1)
				}
			})
		}
		return
	}
	f, was := c.flow, c.flow.Conn
	f.Remote, f.Conn, f.Server = c.back.addr, 0, c.back.host
	c.lane.dialBack(f, dialWaiter{ready: func(f transport.Flow, err error) {
		switch {
		case c.flow.Conn != was && c.status != 0 && provisional(b):
			return
		case c.flow.Conn != was: // by one of the client's own
		case err != nil:
			c.lane.layer.log.Debug("response not delivered", "remote", c.back.addr, "error", err)
			return
		default:
			c.flow = f
		}
		_ = c.lane.layer.send(c.flow, b, s)
	}})
}

const maxOffers = 6 // 31 s with T1 of 500 ms

func provisional(resp []byte) bool { return bytes.HasPrefix(resp, []byte("SIP/2.0 1")) }

func clone(s string) string { return strings.Clone(s) }
