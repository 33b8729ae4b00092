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

// exchange is one request that crosses the call: a server transaction on the
// leg that asked and a client transaction on the other, with the ACK of an
// INVITE.
type exchange struct {
	call   *Call
	from   side // who asked
	method string
	branch *branch // nil for the initial INVITE until leg B shows a To-tag
	server *txn.ServerTx
	client *txn.ClientTx // nil until sent; the current one while hunting
	hunt   *hunt         // targets left to try; nil within a dialog

	cseqIn, cseqOut uint32

	offer     *sdp.Session // the SDP offer of the request, nil without one
	counter   *sdp.Session // the far side's offer in a response (delayed offer)
	accepted  *sip.Message // the 2xx of an INVITE as received
	held      *sip.Message // the 2xx for the asking side, kept back until the recording runs
	ack       *txn.Sent    // our ACK of accepted
	cancelled bool
	done      bool
}

// OnResponse takes a response of the far side (txn.ClientHandler).
func (x *exchange) OnResponse(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	c := x.call
	c.legs[other(x.from)].flow = flow
	switch {
	case resp.Status == 100:
		x.noteAlive(tx)
	case tx != x.client || (x.done && x.accepted == nil):
		x.onLate(tx, resp, flow)
	case resp.Status < 200:
		x.noteAlive(tx)
		x.onProvisional(tx, resp, flow)
	case resp.Status < 300:
		x.onSuccess(tx, resp, flow)
	default:
		x.onFailure(tx, resp)
	}
}

// onLate takes what still comes of a transaction we gave up: a 2xx that
// crossed our CANCEL makes a dialog that must be acknowledged and ended
// (RFC 3261 §9.1, §13.2.2.4).
func (x *exchange) onLate(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	if resp.Status < 200 {
		return
	}
	if resp.Status < 300 && x.method == "INVITE" {
		x.call.ackAndBye(tx, resp, flow)
	}
	x.call.settled(tx)
}

func (x *exchange) onProvisional(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	c := x.call
	if x.done || c.state == StateEnding {
		return
	}
	if x.method == "INVITE" && x.branch == nil && resp.ToTag() != "" {
		b := c.branchFor(tx.Request(), resp, flow)
		b.dialogs[sideB].Refresh(resp)
		if c.state == StateTrying {
			c.state = StateEarly
		}
		x.pass(resp, b)
	} else {
		x.pass(resp, x.branch)
	}
	c.tellRecorder()
}

// onSuccess takes a 2xx: for an INVITE possibly one of several, or a repeated
// one (RFC 6026, RFC 3261 §13.2.2.4).
func (x *exchange) onSuccess(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	c := x.call
	if x.method != "INVITE" {
		x.finish()
		if x.branch != nil && (x.method == "UPDATE" || x.method == "SUBSCRIBE" || x.method == "NOTIFY") {
			x.branch.dialogs[other(x.from)].Refresh(resp)
		}
		x.pass(resp, x.branch)
		c.tellRecorder()
		c.settled(tx)
		return
	}
	c.settled(tx)
	if x.accepted != nil {
		switch {
		case resp.ToTag() != x.accepted.ToTag():
			c.ackAndBye(tx, resp, flow) // another fork answered too
		case x.ack != nil:
			x.ack.Resend()
		}
		return
	}
	if c.state == StateEnding || x.cancelled {
		x.finish()
		c.ackAndBye(tx, resp, flow)
		return
	}
	x.accepted = resp
	if x.branch == nil { // the initial INVITE
		x.hunt.stop()
		x.branch = c.branchFor(tx.Request(), resp, flow)
		c.confirm(x.branch)
		x.branch.dialogs[sideB].Confirm(resp)
		c.onAnswer()
	} else {
		x.branch.dialogs[other(x.from)].Refresh(resp)
	}
	x.branch.dialogs[other(x.from)].Flow = flow
	out := x.response(resp, x.branch)
	c.tellRecorder()
	if x == c.initial && c.mustWait() {
		c.log.Info("answer held until the recording runs")
		x.held = out
		return
	}
	x.answer(out)
}

// answer passes the 2xx of an INVITE; the ACK will follow from the side that
// asked.
func (x *exchange) answer(out *sip.Message) {
	c := x.call
	x.held = nil
	c.legs[x.from].unacked = x
	x.server.OnNoAck(func() { c.onNoAck(x) })
	x.server.Respond(out)
	if x == c.initial {
		c.announce("call.start", "")
	}
}

// onFailure takes a final response of 300 and above.
func (x *exchange) onFailure(tx *txn.ClientTx, resp *sip.Message) {
	c := x.call
	if x.hunt != nil && x.hunt.next(x, resp.Status) {
		return
	}
	x.fail(tx, func() { x.pass(resp, x.branch) }, verdict{
		result: rejected, status: resp.Status, reason: strconv.Itoa(resp.Status) + " " + resp.Reason})
	c.settled(tx)
}

// OnFail is told that no final response will come (txn.ClientHandler).
func (x *exchange) OnFail(tx *txn.ClientTx, err error) {
	c := x.call
	if tx != x.client || x.done {
		c.settled(tx)
		return
	}
	status := statusOf(err)
	if errors.Is(err, txn.ErrTimerC) {
		tx.Cancel()
	}
	if x.hunt != nil && x.hunt.next(x, status) {
		return
	}
	c.log.Warn("no answer", "method", x.method, "towards", sideName(other(x.from)), "error", err)
	x.fail(tx, func() { c.srv.reply(x.server, status, "") },
		verdict{result: failed, status: status, reason: err.Error()})
	c.settled(tx)
}

// statusOf is what the asking side is told of a failed transaction.
func statusOf(err error) int {
	if errors.Is(err, txn.ErrTransport) {
		return 503
	}
	return 408
}

// fail ends the exchange without success: answer tells the asking side, and
// the call ends with it when it was the first INVITE or the far side lost the
// dialog (RFC 3261 §12.2.1.2, §14.1).
func (x *exchange) fail(tx *txn.ClientTx, answer func(), v verdict) {
	c := x.call
	x.finish()
	if x.server.Final() == 0 {
		answer()
	}
	c.media.rollback(c, x)
	switch {
	case x == c.initial:
		c.over(v)
	case (v.status == 481 || v.status == 408) && (x.method == "INVITE" || x.method == "UPDATE"):
		gone := other(x.from)
		v.reason = "dialog lost: " + v.reason
		v.result = failed
		if v.status == 481 {
			c.legs[gone].gone = true
		}
		c.hangUp(v, nil)
	}
}

// finish takes the exchange off the call's list.
func (x *exchange) finish() {
	if x.done {
		return
	}
	x.done = true
	if x.hunt != nil {
		x.hunt.stop()
	}
	open := x.call.open[:0]
	for _, o := range x.call.open {
		if o != x {
			open = append(open, o)
		}
	}
	x.call.open = open
}

func (x *exchange) noteAlive(tx *txn.ClientTx) {
	if x.hunt != nil && tx == x.client {
		x.hunt.alive()
	}
}

// onCancel passes a CANCEL of the asking side (RFC 3261 §9.2); the layer has
// answered it already.
func (x *exchange) onCancel(cancel *sip.Message) {
	c := x.call
	if x.server.Final() != 0 || x.cancelled {
		return
	}
	x.cancelled = true
	if x == c.initial {
		c.log.Info("call cancelled by the caller")
		c.abandon(verdict{result: cancelled, status: 487, reason: "cancelled"}, cancel)
		return
	}
	c.srv.reply(x.server, 487, "")
	if x.client != nil {
		x.client.Cancel(reasonOf(cancel)...)
	}
	c.media.rollback(c, x)
}

// reasonOf are the Reason headers of a message (RFC 3326).
func reasonOf(m *sip.Message) []sip.Header {
	var out []sip.Header
	if m == nil {
		return nil
	}
	for _, v := range m.All("Reason") {
		out = append(out, sip.Header{Name: "Reason", Value: v})
	}
	return out
}

// pass sends a response of the far side to the side that asked.
func (x *exchange) pass(resp *sip.Message, b *branch) {
	x.server.Respond(x.response(resp, b))
}

// response is a response of the far side as the asking side shall see it.
func (x *exchange) response(resp *sip.Message, b *branch) *sip.Message {
	c := x.call
	out := sip.NewResponse(x.server.Request, resp.Status, resp.Reason)
	if b != nil {
		out.Set("To", sip.WithTag(out.Get("To"), b.dialogs[x.from].LocalTag))
	} else if tag := resp.ToTag(); tag != "" && out.ToTag() == "" {
		out.Set("To", sip.WithTag(out.Get("To"), c.tagTowardsA(tag)))
	}
	switch contact := resp.Get("Contact"); {
	case contact == "":
	case resp.Status < 300:
		out.Set("Contact", ourContact(contact, c.legs[x.from].contact))
	default: // targets of a redirection are the far side's
		for _, v := range resp.All("Contact") {
			out.Add("Contact", v)
		}
	}
	mirror(out, resp)
	if len(out.Body) > 0 && resp.Status < 300 {
		c.media.response(c, x, out, resp.Status >= 200 || resp.Has("RSeq"))
		out = c.anchorBody(out, other(x.from))
	}
	return out
}

// request builds the request of leg other(from) for one of leg from.
func (x *exchange) request(req *sip.Message, d *dialog.Dialog) *sip.Message {
	c := x.call
	to := other(x.from)
	out := d.Request(req.Method)
	x.cseqOut = out.CSeq().Num
	out.Set("Max-Forwards", strconv.Itoa(maxForwards(req)-1))
	if contact := req.Get("Contact"); contact != "" {
		out.Set("Contact", ourContact(contact, c.legs[to].contact))
	}
	mirror(out, req)
	return out
}
