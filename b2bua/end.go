package b2bua

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
)

// result classes an ended call.
type result string

const (
	completed result = "completed" // answered, ended by BYE
	cancelled result = "cancelled" // the caller gave up
	rejected  result = "rejected"  // the far side said 3xx–6xx
	failed    result = "failed"    // timeout, transport, lost dialog
	refused   result = "refused"   // we said no: capacity, ports, no route
)

var results = []result{completed, cancelled, rejected, failed, refused}

// verdict is how a call ended: made once, where the cause is known.
type verdict struct {
	result  result
	status  int    // what the caller was told when it was not answered
	reason  string // in words, for logs and the API
	reasons []metadata.Reason
}

// hangUp ends the call on every leg that has not ended it itself: BYE where
// there is a dialog, else as abandon. cause is the message whose Reason and
// other headers go along; nil when the end is our own doing.
func (c *Call) hangUp(v verdict, cause *sip.Message) {
	if c.state == StateEnding {
		return
	}
	if c.current == nil || c.initial.server.Final() == 0 {
		c.abandon(v, cause)
		return
	}
	for _, x := range slices.Clone(c.open) {
		x.abort()
	}
	for _, s := range []side{sideA, sideB} {
		if !c.legs[s].gone {
			c.bye(s, v, cause)
		}
	}
	c.over(v)
}

// abort ends an exchange because the call does: 487 to who asked (RFC 3261
// §15.1.2), an owed ACK to who answered.
func (x *exchange) abort() {
	if x.accepted {
		x.acknowledge(nil)
	} else if x.client != nil && x.method == "INVITE" {
		x.client.Cancel()
	}
	if x.server.Final() == 0 {
		x.call.srv.reply(x.server, 487, "")
	}
	x.finish()
}

// abandon ends a call that was not answered towards the caller: its INVITE
// gets v.status, leg B gets CANCEL, or ACK and BYE if it has answered.
func (c *Call) abandon(v verdict, cause *sip.Message) {
	x := c.initial
	if x.server.Final() == 0 {
		c.srv.reply(x.server, v.status, "", v.headers()...)
	}
	for _, o := range slices.Clone(c.open) {
		if o != x {
			o.abort()
		}
	}
	switch {
	case x.accepted:
		x.held = nil
		x.acknowledge(nil)
		if !c.legs[sideB].gone {
			c.bye(sideB, v, cause)
		}
	default:
		headers := alongside(cause)
		if cause == nil {
			headers = v.headers()
		}
		x.cancel(headers)
	}
	x.finish()
	c.over(v)
}

// headers tell a party why, when the end is our own doing (RFC 3326).
func (v verdict) headers() []sip.Header {
	if v.result == completed || v.result == cancelled || v.status == 0 {
		return nil
	}
	return []sip.Header{{Name: "Reason", Value: fmt.Sprintf("SIP;cause=%d;text=%q", v.status, v.reason)}}
}

// bye sends BYE to side s, now or as soon as it has acknowledged our 2xx
// (RFC 3261 §15).
func (c *Call) bye(s side, v verdict, cause *sip.Message) {
	var out *sip.Message
	if d := c.current.dialogs[s]; cause != nil && cause.Method == "BYE" {
		out = c.numbered(d, cause)
	} else {
		out = d.Request("BYE")
	}
	if cause != nil {
		out.Set("Max-Forwards", strconv.Itoa(max(maxForwards(cause)-1, 0)))
		mirror(out, cause)
	} else {
		for _, h := range v.headers() {
			out.Add(h.Name, h.Value)
		}
	}
	if s == sideB {
		c.current.login.sign(out)
	}
	if c.legs[s].unacked != nil {
		c.legs[s].byeDue = out
		return
	}
	c.sendBye(s, out)
}

func (c *Call) sendBye(s side, out *sip.Message) {
	d := c.current.dialogs[s]
	c.towards(s, d, func(t txn.Target, err error) {
		if err != nil {
			c.log.Warn("BYE has nowhere to go", "towards", sideName(s), "error", err)
			return
		}
		t = c.must(s, d, t)
		c.track(c.lane.Request(out, t, farewell{call: c, dialog: d, to: s, login: c.loginTowards(s), out: out}))
	})
}

// farewell is the handler of a BYE: its answer matters only to the call's own
// end.
type farewell struct {
	call   *Call
	dialog *dialog.Dialog
	to     side
	login  *login       // nil: the peer's challenges are not answered
	out    *sip.Message // to be sent once more where its path is lost; nil: once is enough
	tried  int          // challenges answered
}

// OnResponse implements txn.ClientHandler.
func (f farewell) OnResponse(tx *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	if resp.Status < 200 {
		return
	}
	defer f.call.settled(tx)
	if out := f.call.challenged(f.login, tx, resp, f.tried, f.dialog.LocalCSeq); out != nil {
		f.dialog.LocalCSeq++
		f.tried++
		f.call.track(f.call.lane.Request(out, tx.Target(), f))
	}
}

// OnFail implements txn.ClientHandler.
func (f farewell) OnFail(tx *txn.ClientTx, err error) {
	defer f.call.settled(tx)
	if f.out != nil && (lostPath(f.dialog, err) || f.call.elsewhere(f.to, tx.Target(), err)) {
		f.call.sendBye(f.to, f.out)
		return
	}
	f.call.log.Warn("BYE was not answered", "error", err)
}

// ackAndBye ends a dialog that a 2xx made which came too late or from a second
// fork. A repeated one gets its ACK again.
func (c *Call) ackAndBye(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	tag := resp.ToTag()
	if sent, ok := c.late[tag]; ok {
		if sent != nil {
			sent.Resend()
		}
		return
	}
	if len(c.late) >= maxForks {
		return
	}
	if c.late == nil {
		c.late = map[string]*txn.Sent{}
	}
	c.late[tag] = nil
	d := dialog.NewUAC(tx.Request(), resp)
	d.Flow = flow
	c.track(d)
	c.reach(d, func(t txn.Target, err error) {
		defer c.settled(d)
		if err != nil {
			c.log.Warn("late 2xx cannot be acknowledged", "error", err)
			return
		}
		ack, bye, who := d.RequestCSeq("ACK", resp.CSeq().Num), d.Request("BYE"), c.logins[tx]
		who.copyFrom(tx.Request(), ack)
		who.sign(bye)
		c.late[tag] = c.lane.SendAck(ack, t)
		t.Patient = true
		c.track(c.lane.Request(bye, t, farewell{call: c, dialog: d, login: who}))
	})
}

// over closes the books of a call: recorder, media, metrics, log. Its dialogs
// may still have BYEs under way.
func (c *Call) over(v verdict) {
	if c.state == StateEnding {
		return
	}
	wasAnswered := c.state == StateAnswered
	c.state, c.reasons, c.ended = StateEnding, v.reasons, c.lane.Now()
	if c.rec.begun {
		c.withRecorder(func(r Recorder) { r.End(c.snapshot()) })
	}
	c.session.stop()
	c.linger()
	c.ringing.stop()
	c.relay.Close()
	c.srv.dismiss(int(c.sockets))
	c.srv.metrics.result(v.result)
	c.log.Info("call ended", "result", v.result, "reason", v.reason, "status", v.status,
		"answered", wasAnswered, "duration", c.ended.Sub(c.started).Round(1e6).String())
	if c.announced {
		c.announce(EventStop, verdict{reason: v.reason})
	} else {
		c.announce(EventFailed, v)
	}
	c.forget()
}

// reasonsOf reads the Reason headers of a message for the metadata (RFC 3326,
// RFC 7865 §6.3.1).
func reasonsOf(m *sip.Message) []metadata.Reason {
	var out []metadata.Reason
	for _, v := range m.List("Reason") {
		protocol, rest, _ := strings.Cut(v, ";")
		r := metadata.Reason{Protocol: strings.TrimSpace(protocol)}
		n, err := sip.ParseNameAddr("<sip:reason>;" + rest)
		if err != nil {
			continue
		}
		cause, ok := n.Params.Get("cause")
		if r.Cause, err = strconv.Atoi(cause); !ok || err != nil {
			continue
		}
		r.Text, _ = n.Params.Get("text")
		out = append(out, r)
	}
	return out
}

// onMediaTimeout ends a call whose parties both fell silent without hold.
func (c *Call) onMediaTimeout() {
	if c.state == StateAnswered {
		c.log.Warn("no RTP, call is ended", "timeout", "media.timeout")
		c.hangUp(verdict{result: failed, reason: "media timeout", status: 408}, nil)
	}
}
