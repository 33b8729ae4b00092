package b2bua

import (
	"strconv"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// hunt is the search of the initial INVITE for a target that answers: the
// targets of the route in order, each with all the addresses that its name
// resolves to (RFC 3263 §4.3).
type hunt struct {
	uris      []candidate
	endpoints []txn.Target
	uri       candidate       // the one being asked
	followed  int             // redirections so far
	asked     map[string]bool // Contacts of redirections
	fan       *fan            // nil: one after the other
	timer     *txn.Timer      // a target that says nothing at all
	noAnswer  *txn.Timer      // one that rings
	ringing   bool            // a provisional response came: the target is alive
	looking   bool            // its name is being resolved
	best      *sip.Message    // what the targets that failed had to say
}

// dial asks the first target of the call's route; unread says why what the caller
// offers cannot be read.
func (c *Call) dial(unread error) {
	defer c.rescued()
	x := c.initial
	x.hunt = &hunt{uris: c.srv.candidates(c.route, c.invite)}
	c.expectMedia(x.hunt.uris)
	err := unread
	if err == nil {
		err = c.media.request(c, x, x.offer)
	}
	if err != nil {
		c.refuseOffer(x.server, err)
		x.finish()
		c.over(verdict{result: refused, status: x.server.Final(), reason: err.Error()})
		return
	}
	if c.callee != nil {
		to := candidate{uri: c.callee.hop, login: c.callee.login}
		if x.hunt.uri, x.hunt.endpoints, x.hunt.uris = to, c.callee.at, nil; len(c.callee.at) > 0 {
			x.hunt.ask(x)
			return
		}
		x.hunt.uris = []candidate{to}
		x.hunt.nextURI(x, 503)
		return
	}
	if c.route.Parallel && len(x.hunt.uris) > 1 {
		x.hunt.fanOut(x)
		return
	}
	x.hunt.nextURI(x, 503)
}

// failed moves on after a target failed with status; resp is its own word, nil
// when it had none.
func (h *hunt) failed(x *exchange, status int, resp *sip.Message) {
	h.best = better(h.best, resp)
	x.call.prune(x.client)
	x.client = nil
	h.advance(x, status)
}

// better chooses the response to pass when all targets fail, as a forking proxy
// would (RFC 3261 §16.7 step 6): a 4xx before a 5xx, a 503 last. Both may be nil.
func better(best, resp *sip.Message) *sip.Message {
	rank := func(m *sip.Message) int {
		switch {
		case m == nil:
			return 10
		case m.Status == 503:
			return 9
		}
		return m.Status / 100
	}
	if rank(resp) < rank(best) {
		return resp
	}
	return best
}

// left tells whether there is another to ask.
func (h *hunt) left() bool { return len(h.endpoints)+len(h.uris) > 0 }

// advance asks whoever is next; status is why.
func (h *hunt) advance(x *exchange, status int) {
	h.stop()
	if h.left() {
		x.call.log.Warn("target failed, trying the next", "target", h.uri.uri, "status", status)
	}
	if len(h.endpoints) > 0 {
		h.ask(x)
		return
	}
	h.nextURI(x, status)
}

// nextURI resolves the next target; status is passed on when none is left and
// none of them said anything.
func (h *hunt) nextURI(x *exchange, status int) {
	c := x.call
	if len(h.uris) == 0 {
		h.exhausted(x, status)
		return
	}
	h.uri, h.uris = h.uris[0], h.uris[1:]
	h.looking = true
	c.lane.Resolve(h.uri.uri, func(found []txn.Target, err error) {
		defer c.rescued()
		h.looking = false
		if x.done || c.state == StateEnding {
			return
		}
		if err != nil {
			c.log.Warn("target does not resolve", "target", h.uri.uri, "error", err)
			h.nextURI(x, 503)
			return
		}
		found, good := c.srv.penalties.order(found, c.lane.Now())
		if !good && len(h.uris) > 0 && !h.uri.late {
			h.uri.late = true
			h.uris = append(h.uris, h.uri)
			h.nextURI(x, status)
			return
		}
		h.endpoints = found
		h.ask(x)
	})
}

// exhausted ends the call: all targets failed.
func (h *hunt) exhausted(x *exchange, status int) {
	best := h.best
	if best == nil {
		x.fail(func() { x.call.srv.reply(x.server, status, "") },
			verdict{result: failed, status: status, reason: "no target answered"})
		return
	}
	x.fail(func() { x.pass(best, nil) }, verdict{
		result: rejected, status: best.Status, reason: strconv.Itoa(best.Status) + " " + best.Reason})
}

// ask sends the INVITE to the next endpoint.
func (h *hunt) ask(x *exchange) {
	c := x.call
	to := h.endpoints[0]
	h.endpoints = h.endpoints[1:]
	tx, status := c.invites(x, to, h.uri)
	if tx == nil {
		h.advance(x, status)
		return
	}
	h.ringing = false
	x.client = tx
	h.patience(x)
	if h.left() {
		h.timer = c.lane.After(c.srv.cfg.TargetTimeout, func() { h.onSilence(x) })
	}
}

// invites sends the INVITE of leg B to an endpoint of a candidate; without a
// transaction the status says why it cannot be asked.
func (c *Call) invites(x *exchange, to txn.Target, who candidate) (*txn.ClientTx, int) {
	if to.Listener == nil {
		to.Listener = c.srv.cfg.Txn.Leaving(to)
	}
	uri := c.requestURI(who)
	if status := c.srv.unfit(to, uri); status != 0 {
		c.log.Warn("target cannot be used", "target", who.uri, "proto", to.Proto, "status", status)
		return nil, status
	}
	if err := c.mediaTowards(x, to.Addr.Addr()); err != nil {
		c.log.Warn("target cannot be used", "target", who.uri, "addr", to.Addr.String(), "error", err)
		return nil, 503
	}
	c.leaveBy(to.Listener)
	req := c.inviteB(uri)
	dress(req, c.route, c.in, who)
	tx := c.lane.Request(req, to, x)
	c.track(tx)
	c.knownAs(who.login, tx)
	c.srv.metrics.setup.Observe(since(c.lane, c.started).Seconds())
	return tx, 0
}

// leaveBy makes leg B bear the address of a listener.
func (c *Call) leaveBy(l *transport.Listener) {
	leg := &c.legs[sideB]
	leg.listener, leg.contact = l, l.ContactURI(contactUser(c.id, sideB, leg.key))
}

// unfit returns why a request for uri must not go to a target, 0 if it may: a
// proxy that asks itself never ends (RFC 3261 §16.3), and sips: is a promise of
// TLS (§26.2.2).
func (s *Server) unfit(to txn.Target, uri string) int {
	switch {
	case to.Listener == nil:
		return 503
	case strings.HasPrefix(strings.ToLower(uri), "sips:") && to.Proto != "tls":
		return 480
	}
	for _, l := range s.cfg.Transport.Listeners() {
		if l.Proto == to.Proto && (l.Bound == to.Addr ||
			l.Port == int(to.Addr.Port()) && l.Advertise == to.Addr.Addr().Unmap().String()) {
			return 482
		}
	}
	return 0
}

// onSilence gives up a target that sent nothing at all while others are left.
// It is cancelled should it wake up.
func (h *hunt) onSilence(x *exchange) {
	defer x.call.rescued()
	if h.ringing || x.done {
		return
	}
	silent := x.client
	x.call.srv.penalties.punish(silent.Target(), x.call.lane.Now())
	h.failed(x, 408, nil)
	silent.Cancel()
}

// alive notes that a target has said something.
func (h *hunt) alive(tx *txn.ClientTx) {
	h.ringing = true
	if h.fan != nil && h.fan.open[tx] != nil {
		h.fan.open[tx].timer.Stop()
	}
}

func (h *hunt) stop() {
	h.timer.Stop()
	h.noAnswer.Stop()
	h.timer, h.noAnswer = nil, nil
}

// inviteB builds the INVITE of leg B.
func (c *Call) inviteB(uri string) *sip.Message {
	in := c.invite
	leg := &c.legs[sideB]
	out := sip.NewRequest("INVITE", uri)
	from := in.Get("From")
	if leg.localTag != "" {
		from = sip.WithTag(from, leg.localTag)
	}
	contact := ""
	if all := in.List("Contact"); len(all) > 0 {
		contact = all[0]
	}
	out.Set("Max-Forwards", strconv.Itoa(maxForwards(in)-1))
	out.Set("From", from)
	out.Set("To", in.Get("To"))
	out.Set("Call-ID", leg.callID)
	out.Set("CSeq", sip.CSeq{Num: in.CSeq().Num, Method: "INVITE"}.String())
	out.Set("Contact", ourContact(contact, leg.contact))
	mirror(out, in)
	c.session.ask(c, out)
	c.srv.references.translate(out)
	c.anchorBody(out, "INVITE", sideA, nil, c.initial.offer)
	return out
}

// requestURI is the Request-URI of leg B: the target's own when it names a
// user; else the caller's, whose host is replaced by the target's when it
// names us. A domain stays, because the far side and its digest know it.
func (c *Call) requestURI(target candidate) string {
	switch {
	case c.callee != nil:
		return c.callee.requestURI(c.invite)
	case target.exact:
		return target.uri
	}
	t, err := sip.ParseURI(target.uri)
	if err != nil || c.route.RequestURI {
		return c.invite.RequestURI
	}
	if t.User != "" {
		return target.uri
	}
	return c.srv.hostOf(t, c.invite.RequestURI)
}

// hostOf is a Request-URI with the host of a target in the place of ours: who
// gets it must not think that it is for another.
func (s *Server) hostOf(target sip.URI, uri string) string {
	u, err := sip.ParseURI(uri)
	if err != nil || (u.Scheme != "sip" && u.Scheme != "sips") || !s.ourHost(u) {
		return uri
	}
	u.Host, u.Port = target.Host, target.Port
	return u.String()
}
