package b2bua

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// maxProngs bounds how many targets are rung together.
const maxProngs = 10

// fan is a search of the initial INVITE among targets that are rung together:
// the first that answers has the call, the others are cancelled (RFC 3261
// §16.7 step 10). The caller sees their early dialogs as a forking proxy would
// show them.
type fan struct {
	open    map[*txn.ClientTx]*prong
	started int
	lookups int    // names being resolved
	network string // that the media of all of them goes over
}

// prong is one of the targets, with the endpoints of its name that are left.
type prong struct {
	candidate
	left  []txn.Target
	by    *transport.Listener // it was asked from there
	timer *txn.Timer          // it says nothing at all, and its name has more endpoints
}

// fanOut rings all targets of the route.
func (h *hunt) fanOut(x *exchange) {
	h.fan = &fan{open: map[*txn.ClientTx]*prong{}}
	all := h.uris
	h.uris = nil
	h.patience(x)
	h.ring(x, all)
}

// ring asks candidates, together with those that are being asked.
func (h *hunt) ring(x *exchange, all []candidate) {
	c, f := x.call, h.fan
	all = all[:min(len(all), maxProngs-f.started)]
	f.started += len(all)
	f.lookups += len(all) // before the first is done, which may be at once
	for _, to := range all {
		c.lane.Resolve(to.uri, func(found []txn.Target, err error) {
			defer c.rescued()
			f.lookups--
			switch {
			case x.done || c.state == StateEnding || x.accepted:
			case err != nil:
				c.log.Warn("target does not resolve", "target", to.uri, "error", err)
				h.concluded(x, 503)
			default:
				found, _ = c.srv.penalties.order(found, c.lane.Now())
				h.askProng(x, &prong{candidate: to, left: found}, 503)
			}
		})
	}
	if len(all) == 0 {
		h.concluded(x, 480)
	}
}

// askProng asks the next endpoint of a target; status says why it must.
func (h *hunt) askProng(x *exchange, p *prong, status int) {
	for len(p.left) > 0 {
		to := p.left[0]
		p.left = p.left[1:]
		var tx *txn.ClientTx
		if tx, status = x.call.invites(x, to, p.candidate); tx != nil {
			p.by = x.call.legs[sideB].listener
			h.fan.open[tx] = p
			if len(p.left) > 0 {
				p.timer = x.call.lane.After(x.call.srv.cfg.TargetTimeout, func() { h.onProngSilence(x, tx) })
			}
			return
		}
	}
	h.concluded(x, status)
}

// onProngSilence goes on to the next endpoint of a target of which nothing at all
// was heard. The silent one is cancelled should it wake up.
func (h *hunt) onProngSilence(x *exchange, tx *txn.ClientTx) {
	if x.done || h.fan.open[tx] == nil {
		return
	}
	x.call.srv.penalties.punish(tx.Target(), x.call.lane.Now())
	h.lost(x, tx, 408)
	tx.Cancel()
}

// leave takes a target out of those whose word counts.
func (f *fan) leave(tx *txn.ClientTx) *prong {
	p := f.open[tx]
	p.timer.Stop()
	p.timer = nil
	delete(f.open, tx)
	return p
}

// concluded ends the call when nobody is left who could answer.
func (h *hunt) concluded(x *exchange, status int) {
	if len(h.fan.open)+h.fan.lookups == 0 {
		h.exhausted(x, status)
	}
}

// won takes the target that answered, forgets who has not been asked, and cancels the others.
func (h *hunt) won(x *exchange, tx *txn.ClientTx, flow transport.Flow) {
	h.uris, h.endpoints, h.best = nil, nil, nil
	if h.fan == nil {
		return
	}
	c := x.call
	c.leaveBy(h.fan.leave(tx).by)
	c.legs[sideB].flow, x.client = flow, tx
	x.cancelOthers([]sip.Header{{Name: "Reason", Value: `SIP;cause=200;text="Call completed elsewhere"`}})
}

// refused takes the final word of one of the targets. A 6xx is that of all of
// them (RFC 3261 §16.7 step 5).
func (h *hunt) refused(x *exchange, tx *txn.ClientTx, resp *sip.Message) {
	p := h.drop(x, tx)
	switch {
	case resp.Status >= 600:
		x.cancelOthers(nil)
		h.best = resp
		h.exhausted(x, resp.Status)
	case x.call.logins[tx].ours(resp.Status):
		h.concluded(x, 403)
	case h.redirected(x, x.call.logins[tx], resp):
	case movesOn(x.call.route, resp.Status) && len(p.left) > 0: // as where targets are asked in turn
		h.best = better(h.best, resp)
		h.askProng(x, p, resp.Status)
	default:
		h.best = better(h.best, resp)
		h.concluded(x, resp.Status)
	}
}

// lost takes the silence of one of the targets.
func (h *hunt) lost(x *exchange, tx *txn.ClientTx, status int) { h.askProng(x, h.drop(x, tx), status) }

// drop ends the part of a target in the search.
func (h *hunt) drop(x *exchange, tx *txn.ClientTx) *prong {
	x.call.prune(tx)
	return h.fan.leave(tx)
}

// asks tells whether a transaction is one whose answer counts.
func (x *exchange) asks(tx *txn.ClientTx) bool {
	return tx == x.client || x.hunt != nil && x.hunt.fan != nil && x.hunt.fan.open[tx] != nil
}

// cancel tells all who are being asked to stop.
func (x *exchange) cancel(headers []sip.Header) {
	if x.client != nil {
		x.client.Cancel(headers...)
	}
	x.cancelOthers(headers)
}

// cancelOthers tells all but x.client to stop. What they still say is late.
func (x *exchange) cancelOthers(headers []sip.Header) {
	if x.hunt == nil || x.hunt.fan == nil {
		return
	}
	for tx := range x.hunt.fan.open {
		x.hunt.fan.leave(tx)
		tx.Cancel(headers...)
	}
}
