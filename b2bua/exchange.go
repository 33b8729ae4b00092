package b2bua

import (
	"errors"
	"strconv"
	"strings"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
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
	out    *sip.Message  // the request towards the other side; nil with hunt

	cseqIn uint32 // of the request as received

	offer     *sdp.Session // the SDP offer of the request, nil without one
	counter   *sdp.Session // the far side's offer in a response (delayed offer)
	accepted  bool         // an INVITE got its 2xx
	chosen    string       // the To-tag of that
	held      *sip.Message // the 2xx for the asking side, kept back until the recording runs
	ack       *txn.Sent    // our ACK of accepted
	acked     bool         // ack is on its way, perhaps behind a lookup
	cancelled bool
	tried     map[*txn.ClientTx]tries // what a target had its way in so far, by the request that bears the answer
	done      bool
	again     uint8 // how often the 2xx came since the ACK left for an address

	// What it changed of the negotiation: undone when it fails.
	committed   bool
	before, put *agreement
}

// OnResponse takes a response of the far side (txn.ClientHandler).
func (x *exchange) OnResponse(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	defer x.call.rescued()
	far := other(x.from)
	switch {
	case tx != x.client:
	case x.hunt == nil:
		x.call.heardFrom(far, x.branch.dialogs[far], flow)
	default: // of whom is not known yet
		x.call.legs[far].flow, x.call.legs[far].heard = flow, x.call.lane.Now()
	}
	resp = x.call.srv.heard(resp, x.call.known[far], flow.Listener)
	if x.hunt != nil {
		x.call.srv.penalties.forgive(tx.Target())
	}
	switch {
	case resp.Status == 100:
		x.noteAlive(tx)
	case !x.asks(tx) || (x.done && !x.accepted):
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
// (RFC 3261 §9.1, §13.2.2.4). One to a re-INVITE is only acknowledged: its
// dialog has had its BYE.
func (x *exchange) onLate(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	if resp.Status < 200 {
		return
	}
	switch {
	case resp.Status >= 300 || x.method != "INVITE":
	case x.hunt != nil:
		x.call.ackAndBye(tx, resp, flow)
	default:
		x.accepted, x.chosen = true, strings.Clone(resp.ToTag())
		x.acknowledge(nil)
	}
	x.call.settled(tx)
}

func (x *exchange) onProvisional(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	c := x.call
	if x.done || c.state == StateEnding {
		return
	}
	b := x.branch
	if x == c.initial && b == nil && resp.ToTag() != "" {
		if c.branchTo(resp.ToTag()) == nil && len(c.branches) >= maxForks {
			return
		}
		b = c.branchFor(tx, resp, flow)
		b.dialogs[sideB].Refresh(resp)
		c.latest = b
		if c.state == StateTrying {
			c.state = StateEarly
			c.announce(EventRinging, verdict{})
		}
		c.learnCallee(resp, b)
	}
	x.pass(resp, b)
	c.tellRecorder()
}

// onSuccess takes a 2xx: for an INVITE possibly one of several, or a repeated
// one (RFC 6026, RFC 3261 §13.2.2.4).
func (x *exchange) onSuccess(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	c := x.call
	if x.method != "INVITE" {
		c.media.answered(x)
		x.finish()
		if x.branch != nil && (x.method == "UPDATE" || x.method == "SUBSCRIBE" || x.method == "NOTIFY") {
			x.branch.dialogs[other(x.from)].Refresh(resp)
		}
		x.agreed(resp)
		x.pass(resp, x.branch)
		switch x.method {
		case "REFER":
			c.referred(resp)
		case "NOTIFY":
			c.notified(x.server.Request)
		}
		c.tellRecorder()
		c.settled(tx)
		return
	}
	defer c.settled(tx)
	if x.accepted {
		switch {
		case resp.ToTag() != x.chosen:
			c.ackAndBye(tx, resp, flow) // another fork answered too
		case x.ack != nil:
			x.acknowledgeAgain(flow)
		}
		return
	}
	if c.state == StateEnding {
		x.finish()
		c.ackAndBye(tx, resp, flow)
		return
	}
	x.accepted, x.chosen = true, strings.Clone(resp.ToTag())
	c.noteAnswer(x)
	if x == c.initial {
		x.hunt.stop()
		x.hunt.won(x, tx, flow)
		x.branch = c.branchFor(tx, resp, flow)
		c.confirm(x.branch)
		c.ringing.stop()
		x.branch.dialogs[sideB].Confirm(resp)
		c.learnCallee(resp, x.branch)
		c.who.keep(resp)
		c.onAnswer()
	} else {
		x.agreed(resp)
		x.branch.dialogs[other(x.from)].Refresh(resp)
		x.branch.dialogs[other(x.from)].Flow = flow
	}
	out, err := x.response(resp, x.branch)
	if err != nil {
		c.log.Error("call ended: the far side's description cannot be relayed", "error", err)
		c.hangUp(verdict{result: refused, status: unfitStatus(err), reason: err.Error()}, nil)
		return
	}
	if x == c.initial {
		c.media.adopt(c, x.branch)
	}
	c.tellRecorder()
	if x == c.initial && c.mustWait() {
		c.log.Info("answer held until the recording runs")
		x.held = out
		return
	}
	x.answer(out)
}

// agreed takes what a request within the dialog and its 2xx have said of the
// parties and of their other calls.
func (x *exchange) agreed(resp *sip.Message) {
	c, req := x.call, x.server.Request
	switch x.method {
	case "INVITE", "UPDATE":
		c.learn(x.from, req)
		c.learn(other(x.from), resp)
		c.wishes(x.from, x.offer)
	case "REFER":
		c.srv.links.refer(c, x.from, req)
	}
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
		c.announce(EventStart, verdict{})
	}
}

// onFailure takes a final response of 300 and above.
func (x *exchange) onFailure(tx *txn.ClientTx, resp *sip.Message) {
	c := x.call
	defer c.settled(tx)
	if x.answers(tx, resp) {
		return
	}
	switch {
	case x.hunt == nil:
	case x.hunt.fan != nil:
		x.hunt.refused(x, tx, resp)
		return
	case x.hunt.redirected(x, c.logins[tx], resp):
		return
	case c.logins[tx].ours(resp.Status): // not the caller's affair
		x.hunt.failed(x, 403, nil)
		return
	case movesOn(c.route, resp.Status):
		x.hunt.failed(x, resp.Status, resp)
		return
	case x.hunt.refusedContact(resp.Status):
		x.hunt.endpoints = nil // it has spoken for the others of its name
		x.hunt.failed(x, resp.Status, resp)
		return
	}
	x.fail(func() { x.pass(resp, x.branch) }, verdict{
		result: rejected, status: resp.Status, reason: strconv.Itoa(resp.Status) + " " + resp.Reason})
}

// OnFail is told that no final response will come (txn.ClientHandler).
func (x *exchange) OnFail(tx *txn.ClientTx, err error) {
	c := x.call
	defer c.rescued()
	defer c.settled(tx)
	if !x.asks(tx) || x.done {
		return
	}
	if far := other(x.from); x.hunt == nil && !x.cancelled && x.worthIt(err) &&
		(lostPath(x.branch.dialogs[far], err) || c.elsewhere(far, tx.Target(), err)) {
		x.send()
		return
	}
	status := c.callee.statusOf(err)
	if x.hunt != nil && !x.cancelled && c.callee == nil && (errors.Is(err, txn.ErrTransport) || errors.Is(err, txn.ErrTimeout)) {
		c.srv.penalties.punish(tx.Target(), c.lane.Now())
	}
	if x.cancelled {
		status = 487 // RFC 3261 §9.1: as good as cancelled
	}
	c.log.Warn("no answer", "method", x.method, "towards", sideName(other(x.from)), "error", err)
	switch {
	case x.hunt == nil:
	case x.hunt.fan != nil:
		x.hunt.lost(x, tx, status)
		return
	default:
		x.hunt.failed(x, status, nil)
		return
	}
	x.fail(func() {
		// RFC 4320 §4.2: a 408 to anything but an INVITE comes too late to help.
		if status != 408 || x.method == "INVITE" {
			c.srv.reply(x.server, status, "")
		}
	}, verdict{result: failed, status: status, reason: err.Error()})
}

// statusOf is what the asking side is told of a failed transaction.
func statusOf(err error) int {
	switch {
	case errors.Is(err, txn.ErrTransport):
		return 503
	case errors.Is(err, txn.ErrCanceled):
		return 487
	}
	return 408
}

// fail ends the exchange without success: answer tells the asking side, and
// the call ends with it when it was the first INVITE or the far side lost the
// dialog (RFC 3261 §12.2.1.2, §14.1).
func (x *exchange) fail(answer func(), v verdict) {
	c := x.call
	x.finish()
	c.media.rollback(c, x) // before anybody hears of it and goes on as before
	if x.server.Final() == 0 {
		answer()
	}
	switch {
	case x == c.initial:
		c.over(v)
	case x.branch != c.current: // one early dialog of several is not the call
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
	x.call.media.release(x)
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
	if x.hunt != nil && x.asks(tx) {
		x.hunt.alive(tx)
	}
}
