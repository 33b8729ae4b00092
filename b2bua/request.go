package b2bua

import (
	"fmt"
	"strconv"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// onRequest takes a request of side s within one of the call's dialogs.
func (c *Call) onRequest(s side, tx *txn.ServerTx) {
	req := tx.Request
	c.legs[s].flow = tx.Flow
	if c.state == StateEnding {
		c.onRequestEnding(s, tx)
		return
	}
	b := c.branchOf(s, req.ToTag(), req.FromTag())
	if b == nil {
		c.srv.reply(tx, 481, "")
		return
	}
	b.dialogs[s].Flow = tx.Flow
	switch {
	case !b.dialogs[s].AcceptCSeq(req.CSeq().Num): // RFC 3261 §12.2.2
		c.srv.reply(tx, 500, "CSeq Out Of Order")
	case req.Method == "BYE":
		c.onBye(s, tx)
	case maxForwards(req) == 0:
		c.srv.reject(tx, 483, "", "hops")
	default:
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
	c.srv.reply(tx, 200, "")
	v := verdict{result: completed, reason: "BYE from the " + sideName(s), reasons: reasonsOf(tx.Request)}
	if c.current == nil { // the caller may end an early dialog so (RFC 3261 §15)
		v.result, v.status = cancelled, 487
	}
	c.legs[s].gone = true
	c.hangUp(v, tx.Request)
}

// cross relays a request of side s, and its responses, to the other side.
func (c *Call) cross(s side, tx *txn.ServerTx, b *branch) {
	req := tx.Request
	if status := c.glare(s, req); status != 0 {
		c.srv.reply(tx, status, "", retryAfter(status)...)
		return
	}
	x := &exchange{call: c, from: s, method: req.Method, branch: b, server: tx, cseqIn: req.CSeq().Num}
	tx.Data = x
	if refreshesTarget(req.Method) {
		b.dialogs[s].Refresh(req)
	}
	if err := c.media.request(c, x, req); err != nil {
		c.log.Error("offer refused: no media ports", "error", err)
		c.srv.overload(tx)
		return
	}
	to := other(s)
	out := x.request(req, b.dialogs[to])
	c.mapRAck(s, out)
	out = c.anchorBody(out, s)
	c.open = append(c.open, x)
	c.towards(to, b.dialogs[to], func(t txn.Target, err error) {
		if x.done || x.server.Final() != 0 {
			return
		}
		if err != nil {
			c.log.Warn("next hop does not resolve", "towards", sideName(to), "error", err)
			x.finish()
			c.media.rollback(c, x)
			c.srv.reply(tx, 503, "")
			return
		}
		x.client = c.lane.Request(out, t, x)
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
	switch req.Method {
	case "INVITE":
		for _, o := range c.open {
			if o.method == "INVITE" || o.offer != nil {
				return pendingStatus(o.from == s)
			}
		}
	case "UPDATE":
		if sdpOf(req) == nil {
			return 0
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

// mapRAck gives a PRACK the CSeq number that the INVITE has on the other leg
// (RFC 3262 §7.2); RSeq numbers are the same on both.
func (c *Call) mapRAck(s side, out *sip.Message) {
	f := strings.Fields(out.Get("RAck"))
	if len(f) != 3 {
		return
	}
	for _, o := range c.open {
		if o.from == s && o.method == "INVITE" && strconv.FormatUint(uint64(o.cseqIn), 10) == f[1] {
			out.Set("RAck", fmt.Sprintf("%s %d %s", f[0], o.cseqOut, f[2]))
		}
	}
}

// onAck takes the ACK of a 2xx from side s and acknowledges the other side's.
func (c *Call) onAck(s side, ack *sip.Message, flow transport.Flow) {
	c.legs[s].flow = flow
	x := c.legs[s].unacked
	if x == nil || x.cseqIn != ack.CSeq().Num {
		return // repeated
	}
	x.server.Acked()
	c.legs[s].unacked = nil
	if x.ack == nil {
		x.acknowledge(ack)
	}
	x.finish()
	c.tellRecorder()
	if bye := c.legs[s].byeDue; bye != nil {
		c.legs[s].byeDue = nil
		c.sendBye(s, bye)
	}
}

// acknowledge sends the ACK of the accepted INVITE to the side that was asked;
// ack is the asking side's, nil when the call ends before it came.
func (x *exchange) acknowledge(ack *sip.Message) {
	c, to := x.call, other(x.from)
	d := x.branch.dialogs[to]
	out := d.RequestCSeq("ACK", x.cseqOut)
	if ack != nil {
		out.Set("Max-Forwards", strconv.Itoa(max(maxForwards(ack)-1, 0)))
		if contact := ack.Get("Contact"); contact != "" {
			out.Set("Contact", ourContact(contact, c.legs[to].contact))
		}
		mirror(out, ack)
		c.media.ack(c, x, ack)
		out = c.anchorBody(out, x.from)
	}
	c.towards(to, d, func(t txn.Target, err error) {
		if err != nil {
			c.log.Warn("ACK has nowhere to go", "towards", sideName(to), "error", err)
			return
		}
		x.ack = c.lane.SendAck(out, t)
	})
}

// onNoAck: our 2xx was never acknowledged (RFC 3261 §13.3.1.4).
func (c *Call) onNoAck(x *exchange) {
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
