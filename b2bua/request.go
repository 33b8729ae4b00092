package b2bua

import (
	"errors"
	"strconv"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// onRequest takes a request of side s within one of the call's dialogs.
func (c *Call) onRequest(s side, tx *txn.ServerTx) {
	defer c.rescued()
	req := tx.Request
	if c.state == StateEnding && !c.after.lives(req.Method) {
		c.onRequestEnding(s, tx)
		return
	}
	b := c.branchOf(s, req.ToTag(), req.FromTag())
	if b == nil {
		c.srv.reply(tx, 481, "")
		return
	}
	if r, ok := c.acknowledges(req); ok && s == sideA {
		b = r.branch
	}
	if !b.dialogs[s].AcceptCSeq(req.CSeq().Num) { // RFC 3261 §12.2.2
		c.srv.reply(tx, 500, "CSeq Out Of Order")
		return
	}
	c.heardFrom(s, b.dialogs[s], tx.Flow)
	switch {
	case req.Method == "BYE" && (c.current != nil || s == sideA && (len(c.branches) == 1 || c.single != nil)):
		c.onBye(s, tx)
	case req.Method == "BYE" && s == sideB: // not before it has answered (RFC 3261 §15)
		c.srv.reply(tx, 481, "")
	case maxForwards(req) == 0:
		c.srv.reject(tx, 483, "", "hops")
	case c.answersRefresh(s, tx), c.takesDigit(s, tx), c.takesAction(s, tx):
	default: // the caller's BYE to one fork of several is one of these
		c.cross(s, tx, b)
	}
}

// onRequestEnding: crossing BYEs are both answered 200 (RFC 3261 §15.1.2).
func (c *Call) onRequestEnding(s side, tx *txn.ServerTx) {
	if tx.Request.Method != "BYE" {
		c.srv.reply(tx, 481, "")
		return
	}
	c.srv.reply(tx, 200, "")
	c.legs[s].gone, c.legs[s].byeDue = true, nil
	c.forget()
}

// onBye ends the call at the wish of side s.
func (c *Call) onBye(s side, tx *txn.ServerTx) {
	c.legs[s].gone = true
	c.srv.reply(tx, 200, "")
	v := verdict{result: completed, reason: "BYE from the " + sideName(s), reasons: reasonsOf(tx.Request)}
	if c.initial.server.Final() == 0 {
		if v.result, v.status = cancelled, 487; s == sideB {
			v.result, v.status = failed, 480 // it answered, and the caller was never told
		}
	}
	if x := c.legs[s].unacked; x != nil {
		x.server.Acked() // who hangs up has had our 2xx
		c.legs[s].unacked = nil
	}
	c.hangUp(v, tx.Request)
}

// cross relays a request of side s, and its responses, to the other side.
func (c *Call) cross(s side, tx *txn.ServerTx, b *branch) {
	req := tx.Request
	if x := c.legs[s].unacked; x != nil && req.Method == "INVITE" && x.counter == nil {
		c.acknowledged(s, nil) // its ACK was lost or overtaken (RFC 5407 §3.1.4); no answer was in it
	}
	if status := c.glare(s, req); status != 0 {
		c.srv.reply(tx, status, "", retryAfter(status)...)
		return
	}
	x := &exchange{call: c, from: s, method: req.Method, branch: b, server: tx, cseqIn: req.CSeq().Num}
	tx.Data = x
	if refreshesTarget(req.Method) {
		b.dialogs[s].Refresh(req)
	}
	said, err := x.reads(req)
	if err == nil {
		err = c.media.request(c, x, said)
	}
	if err != nil {
		c.refuseOffer(tx, err)
		return
	}
	out := x.request(req, b.dialogs[other(s)])
	c.mapRAck(s, b, out)
	var answers *sdp.Session
	if x.offer == nil { // in PRACK
		answers = c.media.said.of(other(s))
	}
	c.anchorBody(out, req.Method, s, answers, said)
	x.out = out
	c.open = append(c.open, x)
	x.send()
}

// send sends the request of an exchange within a dialog.
func (x *exchange) send() {
	c, to := x.call, other(x.from)
	x.client = nil
	c.towards(to, x.branch.dialogs[to], func(t txn.Target, err error) {
		if x.done {
			return
		}
		if err != nil {
			c.log.Warn("next hop does not resolve", "towards", sideName(to), "error", err)
			c.media.rollback(c, x)
			x.finish()
			c.srv.reply(x.server, 503, "")
			return
		}
		x.client = c.lane.Request(x.out, t, x)
		c.track(x.client)
	})
}

// refreshesTarget lists the requests whose Contact replaces the dialog's
// remote target (RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §4.1.2).
func refreshesTarget(method string) bool {
	switch method {
	case "INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER":
		return true
	}
	return false
}

// glare returns the status for a request that must wait: 491 when the other
// side has one pending, 500 when this side has (RFC 3261 §14.2, RFC 3311
// §5.2). 0: it may go on.
func (c *Call) glare(s side, req *sip.Message) int {
	ours := c.session.offers()
	switch req.Method {
	case "INVITE":
		if ours {
			return 491
		}
		for _, o := range c.open {
			if o.method == "INVITE" || o.offer != nil {
				return pendingStatus(o.from == s)
			}
		}
	case "UPDATE":
		if sdpOf(req) == nil {
			return 0
		}
		if ours {
			return 491
		}
		if blocked, own := c.media.blocks(s); blocked {
			return pendingStatus(own)
		}
	}
	return 0
}

func pendingStatus(own bool) int {
	if own {
		return 500
	}
	return 491
}

func retryAfter(status int) []sip.Header {
	if status != 500 {
		return nil
	}
	return []sip.Header{{Name: "Retry-After", Value: "2"}}
}

// onAck takes the ACK of a 2xx from side s and acknowledges the other side's.
func (c *Call) onAck(s side, ack *sip.Message, flow transport.Flow) {
	defer c.rescued()
	x := c.legs[s].unacked
	if x == nil || x.cseqIn != ack.CSeq().Num || !named(x.branch.dialogs[s], ack) {
		return // repeated, or of another dialog
	}
	c.heardFrom(s, x.branch.dialogs[s], flow)
	c.acknowledged(s, ack)
}

// named tells whether a message of the peer bears the tags of a dialog.
func named(d *dialog.Dialog, m *sip.Message) bool {
	return m.ToTag() == d.LocalTag && m.FromTag() == d.RemoteTag
}

// acknowledged notes that side s has had our 2xx: it has sent its ACK, or, when
// ack is nil, something that says as much.
func (c *Call) acknowledged(s side, ack *sip.Message) {
	x := c.legs[s].unacked
	x.server.Acked()
	c.legs[s].unacked = nil
	x.acknowledge(ack)
	x.finish()
	x.offer, x.counter = nil, nil
	if x == c.initial {
		c.invite, x.server.Request = spent, spent
	}
	c.tellRecorder()
	if bye := c.legs[s].byeDue; bye != nil {
		c.legs[s].byeDue = nil
		c.sendBye(s, bye)
	}
}

// spent stands for an INVITE of which all that is still asked for has been noted.
var spent = &sip.Message{Method: "INVITE"}

// acknowledge sends the ACK of the accepted INVITE to the side that was asked;
// ack is the asking side's, nil when the call ends before it came.
func (x *exchange) acknowledge(ack *sip.Message) {
	if x.acked {
		return
	}
	x.acked = true
	c, to := x.call, other(x.from)
	d := x.branch.dialogs[to]
	out := d.RequestCSeq("ACK", x.client.Request().CSeq().Num)
	if ack != nil {
		out.Set("Max-Forwards", strconv.Itoa(max(maxForwards(ack)-1, 0)))
		if contacts := ack.List("Contact"); len(contacts) > 0 {
			out.Set("Contact", ourContact(contacts[0], c.legs[to].contact))
		}
		mirror(out, ack)
		said, err := x.reads(ack)
		if err == nil {
			err = c.media.ack(c, x, said)
		}
		if err != nil {
			c.lane.Post(func() {
				c.hangUp(verdict{result: refused, status: unfitStatus(err), reason: err.Error()}, nil)
			})
		}
		c.anchorBody(out, "ACK", x.from, x.counter, said)
	}
	if to == sideB {
		x.branch.login.copyFrom(x.client.Request(), out)
	}
	c.towards(to, d, func(t txn.Target, err error) {
		if err != nil {
			c.log.Warn("ACK has nowhere to go", "towards", sideName(to), "error", err)
			return
		}
		x.ack = c.lane.SendAck(out, t)
	})
}

// fewAcks is how often a 2xx comes again before its ACK is sent to another address.
const fewAcks = 3

// acknowledgeAgain answers a 2xx that came again. An ACK has no transaction that
// could tell of an address where nobody is, but who goes on repeating his 2xx has
// not had it: then the next address of his name is the place of all that follows.
func (x *exchange) acknowledgeAgain(flow transport.Flow) {
	c, to := x.call, other(x.from)
	d, q, at := x.branch.dialogs[to], &c.legs[to].sender, x.ack.Target()
	d.Flow = flow
	if x.again++; x.again < fewAcks || q.uri != d.NextHop() || !q.advance(at) {
		c.repeat(x.ack, to, d)
		return
	}
	x.again = 0
	c.srv.penalties.punish(at, c.lane.Now())
	x.ack.ResendTo(q.targets[q.at])
}

// repeat sends an ACK again: the way it went or, when that was a connection that is
// closed meanwhile, as its dialog goes on.
func (c *Call) repeat(ack *txn.Sent, to side, d *dialog.Dialog) {
	at := ack.Target()
	if at.Conn == 0 || c.srv.reachable(transport.Flow{Proto: at.Proto, Remote: at.Addr, Conn: at.Conn}) {
		ack.Resend()
		return
	}
	c.towards(to, d, func(t txn.Target, err error) {
		if err == nil {
			ack.ResendTo(t)
		}
	})
}

// worthIt tells whether a request that nobody answered is sent to another address:
// not one whose sender has given up meanwhile, unless the call hangs on it.
func (x *exchange) worthIt(err error) bool {
	return errors.Is(err, txn.ErrTransport) || x.method == "INVITE" || x.method == "UPDATE"
}

// onNoAck: our 2xx was never acknowledged (RFC 3261 §13.3.1.4).
func (c *Call) onNoAck(x *exchange) {
	defer c.rescued()
	leg := &c.legs[x.from]
	if leg.unacked != x {
		return
	}
	leg.unacked = nil
	if bye := leg.byeDue; bye != nil {
		leg.byeDue = nil
		c.sendBye(x.from, bye)
		return
	}
	c.log.Warn("2xx was not acknowledged", "by", sideName(x.from))
	c.hangUp(verdict{result: failed, status: 408, reason: "no ACK"}, nil)
}
