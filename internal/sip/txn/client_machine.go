package txn

import (
	"slices"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// response moves the machine on. The state changes before the handler is
// called, so that a fault there cannot leave it half way.
func (c *clientTx) response(resp *sip.Message, flow transport.Flow) {
	switch c.state {
	case accepted:
		if resp.Status/100 == 2 {
			c.up(resp, flow)
		}
		return
	case completed:
		if c.invite && resp.Status >= 300 {
			c.sendAck()
		}
		return
	}
	c.hop.answered(flow)
	switch {
	case resp.Status < 200:
		c.provisional(resp, flow)
	case !c.invite:
		c.final(resp, flow)
	case resp.Status < 300:
		c.accept(resp, flow)
	default:
		c.rejected(resp, flow)
	}
}

func (c *clientTx) up(resp *sip.Message, flow transport.Flow) {
	if c.handler != nil {
		c.handler.OnResponse(c.outer, resp, flow)
	}
}

// provisional: Timers A and B end, C takes over for an INVITE (§16.6 step 11,
// §16.7 step 2); a request of another kind is resent at T2 (§17.1.2.2).
func (c *clientTx) provisional(resp *sip.Message, flow transport.Flow) {
	first := c.state == calling
	c.state = proceeding
	if c.reliable && c.linked {
		c.resend.Stop() // of a probe
	}
	if c.invite {
		if !c.reliable {
			c.resend.Stop()
			c.unlink() // the peer is alive
		}
		if !c.cancel.sent && (first || resp.Status > 100) {
			c.life.set(c.lane, c.lane.layer.cfg.TimerC)
		}
		if c.cancel.wanted && !c.cancel.sent {
			c.sendCancel()
		}
	}
	c.up(resp, flow)
}

// accept: every 2xx of the next 64*T1 goes up (RFC 6026 §7.2, Timer M).
func (c *clientTx) accept(resp *sip.Message, flow transport.Flow) {
	c.state = accepted
	c.uncancel()
	c.delivered()
	c.life.outlast(c.lane, 64*c.lane.layer.cfg.T1)
	if c.handler == nil {
		c.outer = nil
	}
	c.up(resp, flow)
	if c.outer != nil { // it will not be sent again, and is kept for as long as a 2xx may come
		c.outer.sent = stub(c.outer.sent)
	}
}

// ofDialogs are the fields of an INVITE that its dialogs are made of (RFC 3261 §12.1.2), and what their requests
// have of it.
var ofDialogs = [...]string{"From", "To", "Call-ID", "CSeq", "Contact", "Authorization", "Proxy-Authorization"}

func stub(invite *sip.Message) *sip.Message {
	kept := make([]sip.Header, 0, len(ofDialogs)) // rarely more
	for _, h := range invite.Headers {
		if slices.ContainsFunc(ofDialogs[:], h.Is) {
			kept = append(kept, h)
		}
	}
	return &sip.Message{Method: invite.Method, RequestURI: invite.RequestURI, Headers: kept}
}

// rejected: the ACK goes out at once, and again for each retransmission until
// Timer D, which is nothing on streams (§17.1.1.2).
func (c *clientTx) rejected(resp *sip.Message, flow transport.Flow) {
	tx, h := c.outer, c.handler
	timerC := c.cancel.timerC
	ack := ackFor(tx.sent, resp).Bytes()
	c.complete()
	c.bytes = ack
	c.sendAck()
	if c.reliable {
		c.terminate()
	} else {
		c.life.outlast(c.lane, 64*c.lane.layer.cfg.T1)
	}
	switch {
	case h == nil:
	case timerC:
		h.OnFail(tx, ErrTimerC)
	default:
		h.OnResponse(tx, resp, flow)
	}
}

func (c *clientTx) sendAck() {
	_ = c.lane.layer.send(c.flow, c.bytes, c.lane.layer.metrics.requestSlot("ACK"))
}

// final: Timer K absorbs retransmissions on UDP (§17.1.2.2).
func (c *clientTx) final(resp *sip.Message, flow transport.Flow) {
	tx, h := c.outer, c.handler
	c.complete()
	if c.reliable {
		c.terminate()
	} else {
		c.delivered()
		c.life.outlast(c.lane, c.lane.layer.cfg.T4)
	}
	if h != nil {
		h.OnResponse(tx, resp, flow)
	}
}

func (c *clientTx) expired(t *Timer) {
	if t != &c.life {
		switch {
		case c.bytes == nil: // it has not left yet
			c.hop.start()
		case c.reliable && c.linked && c.cancels(): // a CANCEL, by a doubtful connection
			c.reconnect()
		case c.reliable && c.linked: // it has, as a probe
			if !c.cancel.wanted { // else a 1xx may come yet, and what rings is to be cancelled
				c.hop.missed(ErrTimeout)
			}
		case c.reliable:
			c.reconnect()
		default:
			c.repeat()
		}
		return
	}
	switch c.state {
	case calling:
		c.unheard()
		c.fail(c.silence())
	case proceeding:
		if c.invite && !c.cancel.sent {
			c.timerC()
			return
		}
		c.fail(c.silence())
	default: // D, K, M
		c.handler = nil
		c.terminate()
	}
}

// repeat is Timer A, which doubles without limit, and E, which doubles to T2.
func (c *clientTx) repeat() {
	if c.cancel.wanted && time.Since(c.lane.epoch) > c.cancel.hush {
		return
	}
	c.repeated = true
	if err := c.lane.layer.send(c.flow, c.bytes, c.slot); err != nil {
		if c.lost(err); c.state == terminated {
			return
		}
	}
	c.interval *= 2
	if !c.invite {
		c.interval = min(c.interval, c.lane.layer.cfg.T2)
		if c.state == proceeding {
			c.interval = c.lane.layer.cfg.T2
		}
	}
	c.resend.set(c.lane, c.interval)
}

// ackFor makes the ACK of a non-2xx: hop by hop, so its Via is the INVITE's
// (§17.1.1.3).
func ackFor(invite, resp *sip.Message) *sip.Message {
	ack := sibling(invite, "ACK")
	ack.Set("To", resp.Get("To"))
	return ack
}

// sibling makes an ACK or a CANCEL that belongs to the transaction of an
// INVITE (§9.1, §17.1.1.3).
func sibling(invite *sip.Message, method string) *sip.Message {
	m := sip.NewRequest(method, invite.RequestURI)
	via := invite.TopVia()
	m.Add("Via", via.String())
	for _, h := range invite.Headers {
		if h.Is("Route") {
			m.Headers = append(m.Headers, h)
		}
	}
	m.Add("Max-Forwards", "70")
	m.Add("From", invite.Get("From"))
	m.Add("To", invite.Get("To"))
	m.Add("Call-ID", invite.CallID())
	m.Add("CSeq", sip.CSeq{Num: invite.CSeq().Num, Method: method}.String())
	return m
}
