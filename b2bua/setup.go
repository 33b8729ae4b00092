package b2bua

import (
	"fmt"
	"strconv"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
)

// hunt is the search of the initial INVITE for a target that answers: the
// targets of the route in order, each with all the addresses that its name
// resolves to (RFC 3263 §4.3).
type hunt struct {
	uris      []string
	endpoints []txn.Target
	uri       string // the one being asked
	timer     *txn.Timer
	ringing   bool // a provisional response came: the target is alive
}

// dial asks the first target of the call's route.
func (c *Call) dial() {
	x := c.initial
	uris := c.route.Targets
	if c.route.RequestURI {
		uris = []string{c.invite.RequestURI}
	}
	x.hunt = &hunt{uris: uris}
	if err := c.media.request(c, x, c.invite); err != nil {
		c.log.Error("call refused: no media ports", "error", err)
		c.srv.overload(x.server)
		x.finish()
		c.over(verdict{result: refused, status: 503, reason: err.Error()})
		return
	}
	x.hunt.nextURI(x, 503)
}

// next moves on after a target failed with status. It returns false when the
// failure must be passed on: it is the target's own word, or the last one.
func (h *hunt) next(x *exchange, status int) bool {
	if x.call.state == StateEnding || !movesOn(status) {
		return false
	}
	if len(h.endpoints) == 0 && len(h.uris) == 0 {
		return false
	}
	x.call.log.Warn("target failed, trying the next", "target", h.uri, "status", status)
	x.call.settled(x.client)
	h.advance(x, status)
	return true
}

// movesOn tells whether a failure speaks of the target and not of the callee.
func movesOn(status int) bool {
	switch status {
	case 408, 500, 502, 503, 504:
		return true
	}
	return false
}

func (h *hunt) advance(x *exchange, status int) {
	h.stop()
	if len(h.endpoints) > 0 {
		h.ask(x)
		return
	}
	h.nextURI(x, status)
}

// nextURI resolves the next target; status is passed on when none is left.
func (h *hunt) nextURI(x *exchange, status int) {
	c := x.call
	if len(h.uris) == 0 {
		c.srv.reply(x.server, status, "")
		x.finish()
		c.over(verdict{result: failed, status: status, reason: "no target left"})
		return
	}
	h.uri, h.uris = h.uris[0], h.uris[1:]
	c.lane.Resolve(h.uri, func(found []txn.Target, err error) {
		if x.done || c.state == StateEnding {
			return
		}
		if err != nil || len(found) == 0 {
			c.log.Warn("target does not resolve", "target", h.uri, "error", err)
			h.nextURI(x, 503)
			return
		}
		h.endpoints = found
		h.ask(x)
	})
}

// ask sends the INVITE to the next endpoint.
func (h *hunt) ask(x *exchange) {
	c := x.call
	to := h.endpoints[0]
	h.endpoints = h.endpoints[1:]
	if to.Listener == nil {
		to.Listener = c.srv.cfg.Transport.Pick(to.Proto, to.Addr.Addr())
	}
	if to.Listener == nil {
		c.log.Warn("no listener for target", "target", h.uri, "proto", to.Proto)
		h.advance(x, 503)
		return
	}
	h.ringing = false
	leg := &c.legs[sideB]
	leg.listener = to.Listener
	leg.contact = to.Listener.ContactURI(contactUser(c.id, sideB))
	req := c.inviteB(h.uri)
	x.client = c.lane.Request(req, to, x)
	c.track(x.client)
	x.cseqOut = req.CSeq().Num
	c.srv.metrics.setup.Observe(since(c.lane, c.started).Seconds())
	if len(h.endpoints)+len(h.uris) > 0 {
		h.timer = c.lane.After(c.srv.cfg.TargetTimeout, func() { h.onSilence(x) })
	}
}

// onSilence gives up a target that sent nothing at all while others are left.
func (h *hunt) onSilence(x *exchange) {
	if h.ringing || x.done {
		return
	}
	silent := x.client
	if h.next(x, 408) {
		x.call.track(silent)
		silent.Cancel()
	}
}

func (h *hunt) alive() { h.ringing = true }

func (h *hunt) stop() {
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
}

// inviteB builds the INVITE of leg B.
func (c *Call) inviteB(target string) *sip.Message {
	in := c.invite
	leg := &c.legs[sideB]
	out := sip.NewRequest("INVITE", c.requestURI(target))
	from := in.Get("From")
	if leg.localTag != "" {
		from = sip.WithTag(from, leg.localTag)
	}
	out.Set("Max-Forwards", strconv.Itoa(maxForwards(in)-1))
	out.Set("From", from)
	out.Set("To", in.Get("To"))
	out.Set("Call-ID", leg.callID)
	out.Set("CSeq", fmt.Sprintf("%d INVITE", in.CSeq().Num))
	out.Set("Contact", ourContact(in.Get("Contact"), leg.contact))
	mirror(out, in)
	return c.anchorBody(out, sideA)
}

// requestURI is the Request-URI of leg B: the target's own when it names a
// user; else the caller's, whose host is replaced by the target's when it
// names us. A domain stays, because the far side and its digest know it.
func (c *Call) requestURI(target string) string {
	t, err := sip.ParseURI(target)
	if err != nil || c.route.RequestURI {
		return c.invite.RequestURI
	}
	if t.User != "" {
		return target
	}
	u, err := sip.ParseURI(c.invite.RequestURI)
	if err != nil || (u.Scheme != "sip" && u.Scheme != "sips") || !c.srv.ourHost(u) {
		return c.invite.RequestURI
	}
	u.Host, u.Port = t.Host, t.Port
	return u.String()
}
