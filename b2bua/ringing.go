package b2bua

import (
	"time"

	"sidetrack/forker"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
)

// ringing is a call that rings for long. Proxies before us give up a call of
// which they hear nothing for three minutes, so the caller is told every minute
// that it still rings (RFC 3261 §13.3.1.1). We would give it up ourselves (Timer
// C, §16.8), but not while somebody plays early media, such as a queue, and not
// where the route says how long a target may ring.
type ringing struct {
	clock *txn.Timer
	shown *sip.Message // the last provisional response as the caller got it
	heard uint64       // packets of leg B when last looked at
}

const ringsEvery = time.Minute

// rings notes a provisional response that the caller was sent.
func (c *Call) rings(shown *sip.Message) {
	r := &c.ringing
	if shown.Status == 100 {
		return
	}
	r.shown = shown
	r.clock.Stop()
	r.clock = c.lane.After(c.srv.ringsEvery(), c.stillRings)
}

// stop ends it; what the caller was shown is not needed any more.
func (r *ringing) stop() {
	r.clock.Stop()
	*r = ringing{}
}

// stillRings tells the caller once more, and whoever is asked that we wait. A
// reliable response is not sent again: it would be another one.
func (c *Call) stillRings() {
	r, x := &c.ringing, c.initial
	if x.done || x.server.Final() != 0 || c.state != StateEarly {
		return
	}
	if !r.shown.Has("RSeq") {
		x.server.Respond(r.shown)
	}
	heard := c.heardB()
	if heard > r.heard || c.route.NoAnswer > 0 {
		x.keepRinging()
	}
	r.heard = heard
	r.clock = c.lane.After(c.srv.ringsEvery(), c.stillRings)
}

// keepRinging lets go on ringing all who are asked.
func (x *exchange) keepRinging() {
	if x.client != nil {
		x.client.KeepRinging()
	}
	if x.hunt != nil && x.hunt.fan != nil {
		for tx := range x.hunt.fan.open {
			tx.KeepRinging()
		}
	}
}

// heardB is how many RTP packets leg B has sent.
func (c *Call) heardB() uint64 {
	n := uint64(0)
	for _, s := range c.relay.Stats().Streams {
		n += s.Flows[forker.BA].Packets
	}
	return n
}

func (s *Server) ringsEvery() time.Duration {
	if s.cfg.RingsEvery > 0 {
		return s.cfg.RingsEvery
	}
	return ringsEvery
}

// patience begins the time that a target, or all that are rung together, may
// take to answer, where the route sets one.
func (h *hunt) patience(x *exchange) {
	h.noAnswer.Stop()
	h.noAnswer = nil
	if d := x.call.route.NoAnswer; d > 0 {
		h.noAnswer = x.call.lane.After(d, func() { h.onNoAnswer(x) })
	}
}

// onNoAnswer gives up whoever rings, and goes on to the next.
func (h *hunt) onNoAnswer(x *exchange) {
	defer x.call.rescued()
	if x.done || x.accepted || x.cancelled {
		return
	}
	reason := []sip.Header{{Name: "Reason", Value: `SIP;cause=408;text="No answer"`}}
	if h.fan != nil {
		x.cancelOthers(reason)
		h.exhausted(x, 408)
		return
	}
	rung := x.client
	if rung == nil {
		return
	}
	h.failed(x, 408, nil)
	rung.Cancel(reason...)
}
