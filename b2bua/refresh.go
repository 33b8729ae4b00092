package b2bua

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// refresh is a request of our own within a leg: it keeps the session there alive
// and changes nothing (RFC 4028 §7.4). By UPDATE without a body where the side
// has UPDATE, else by a re-INVITE with the description it was last shown.
type refresh struct {
	call   *Call
	side   side
	method string
	notice bool // it carries a description in which something of ours has changed
	rekeys bool // that is our keys
	tried  int  // challenges answered
	ack    *txn.Sent
	done   bool
	until  time.Time // as long as the network alone is in the way, it is sent again
}

// maxRefreshTries bounds how often one refresh is sent in another form.
const maxRefreshTries = 4

// refresh sends one to side s.
func (c *Call) refresh(s side) {
	left := c.srv.second() * time.Duration(c.session.seconds) * 4 / 10 // until the side gives up itself
	r := &refresh{call: c, side: s, method: "INVITE", until: c.lane.Now().Add(left)}
	if c.session.sides[s].updates {
		r.method = "UPDATE"
	}
	c.session.open[s] = r
	r.send()
}

func (r *refresh) send() {
	c, s := r.call, r.side
	d := c.current.dialogs[s]
	out := d.Request(r.method)
	out.Set("Contact", "<"+c.legs[s].contact+">")
	c.session.name(out, s, r.notice)
	if r.method == "INVITE" || r.notice {
		if c.lastShown(s, out); len(out.Body) == 0 {
			r.finish() // nothing was agreed that could be offered again
			return
		}
	}
	if s == sideB {
		c.current.login.sign(out)
	}
	r.transmit(out)
}

// transmit finds the way and sends.
func (r *refresh) transmit(out *sip.Message) {
	c := r.call
	d := c.current.dialogs[r.side]
	c.towards(r.side, d, func(t txn.Target, err error) {
		switch {
		case c.state == StateEnding:
		case err != nil:
			r.unreachable("next hop does not resolve")
		default:
			c.track(c.lane.Request(out, c.must(r.side, d, t), r))
		}
	})
}

// unreachable: the network is in the way. That says nothing of the session, which
// lives until its time is over (RFC 4028 §10).
func (r *refresh) unreachable(why string) {
	c := r.call
	if !c.lane.Now().Before(r.until) {
		r.gone(why)
		return
	}
	c.log.Warn("session cannot be refreshed, trying again", "towards", sideName(r.side), "error", why)
	r.again(2 * c.srv.second())
}

// lastShown gives out the description that side s has from us: the other side's
// last one, anchored as it was, with the same version in its o= line.
func (c *Call) lastShown(s side, out *sip.Message) {
	if said := c.media.said; said != nil {
		out.SetBody(sdpType, []byte(said.text[other(s)]))
		c.anchorBody(out, "INVITE", other(s), nil, nil)
	}
}

// OnResponse implements txn.ClientHandler.
func (r *refresh) OnResponse(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	if resp.Status < 200 {
		return
	}
	c := r.call
	defer c.settled(tx)
	if resp.Status < 300 {
		r.accepted(tx, resp, flow)
		return
	}
	if r.done || c.state == StateEnding {
		return
	}
	switch {
	case r.notice && (resp.Status == 481 || resp.Status == 408):
		r.finish() // nothing of recording ends a call; what the dialog itself has to say will
	case resp.Status == 481 || resp.Status == 408:
		c.legs[r.side].gone = resp.Status == 481
		r.gone(strconv.Itoa(resp.Status) + " " + resp.Reason)
	case resp.Status == 491:
		r.after(r.backOff())
	case resp.Status == 422:
		if least, _ := expiry(resp, "Min-SE"); c.session.seconds > 0 && least > max(c.session.seconds, c.session.sides[r.side].least) && least <= maxSession {
			c.session.sides[r.side].least = least // the other side has been told less, and counts on that
			r.after(0)
			return
		}
		r.finish()
	case (resp.Status == 405 || resp.Status == 501) && r.method == "UPDATE":
		c.session.sides[r.side].listed, c.session.sides[r.side].updates = true, false
		r.method = "INVITE"
		r.after(0)
	default:
		if r.side == sideB {
			d := c.current.dialogs[sideB]
			if out := c.challenged(c.current.login, tx, resp, r.tried, d.LocalCSeq); out != nil {
				d.LocalCSeq++
				r.tried++
				c.track(c.lane.Request(out, tx.Target(), r))
				return
			}
		}
		r.finish() // it refuses, but it lives
	}
}

// accepted takes the 2xx, perhaps for the second time.
func (r *refresh) accepted(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	c := r.call
	if r.method == "INVITE" {
		if r.ack != nil {
			c.repeat(r.ack, r.side, c.current.dialogs[r.side])
			return
		}
		defer r.acknowledge(tx.Request().CSeq().Num)
	}
	if r.done || c.state == StateEnding {
		return
	}
	c.heardFrom(r.side, c.current.dialogs[r.side], flow)
	c.current.dialogs[r.side].Refresh(resp)
	c.session.sides[r.side].learn(resp)
	if n, _ := expiry(resp, "Session-Expires"); n > 0 {
		c.session.seconds = min(n, c.session.seconds)
	}
	r.answer(sdpOf(resp))
	r.finish()
}

// answer takes the description in the 2xx of our re-INVITE. The offer was not
// new, so it should not be either; where it moved, media follow.
func (r *refresh) answer(s *sdp.Session) {
	c := r.call
	if s == nil || r.method != "INVITE" && !r.notice || c.media.said != nil && s.Text() == c.media.said.text[r.side] && !r.rekeys {
		return
	}
	if err := c.takesAnswer(r.side, s); err != nil {
		c.hangUp(verdict{result: refused, status: unfitStatus(err), reason: err.Error()}, nil)
		return
	}
	said := [2]*sdp.Session{}
	said[r.side], said[other(r.side)] = s, c.media.said.of(other(r.side))
	c.current.said = agreed(said)
	c.media.enforce(c, c.current.said, said)
	c.tellRecorder()
}

func (r *refresh) acknowledge(cseq uint32) {
	c := r.call
	d := c.current.dialogs[r.side]
	out := d.RequestCSeq("ACK", cseq)
	c.towards(r.side, d, func(t txn.Target, err error) {
		if err == nil {
			r.ack = c.lane.SendAck(out, t)
		}
	})
}

// OnFail implements txn.ClientHandler.
func (r *refresh) OnFail(tx *txn.ClientTx, err error) {
	c := r.call
	defer c.settled(tx)
	if r.done || c.state == StateEnding {
		return
	}
	switch {
	case lostPath(c.current.dialogs[r.side], err) || c.elsewhere(r.side, tx.Target(), err):
		r.again(0)
	case errors.Is(err, txn.ErrTransport):
		r.unreachable(err.Error())
	default:
		r.gone(err.Error())
	}
}

// backOff is how long to wait after a 491 (RFC 3261 §14.1): on leg B the Call-ID
// is ours, on leg A it is the caller's.
func (r *refresh) backOff() time.Duration {
	tens := rand.IntN(201)
	if r.side == sideB {
		tens = 210 + rand.IntN(191)
	}
	return r.call.srv.second() * time.Duration(tens) / 100
}

// after sends it once more, in another form or at another time, a few times.
func (r *refresh) after(d time.Duration) {
	if r.tried++; r.tried > maxRefreshTries {
		r.finish()
		return
	}
	r.again(d)
}

// again sends it once more.
func (r *refresh) again(d time.Duration) {
	r.call.lane.After(d, func() {
		c := r.call
		switch {
		case c.state == StateEnding || r.done:
		case c.busyWith(r):
			r.after(c.srv.second())
		default:
			r.send()
		}
	})
}

// busyWith tells whether another offer than r's is under way.
func (c *Call) busyWith(r *refresh) bool {
	c.session.open[r.side] = nil
	defer func() { c.session.open[r.side] = r }()
	return c.busy()
}

// finish ends the refresh; after the last one the time begins anew.
func (r *refresh) finish() {
	c := r.call
	r.done = true
	c.security.renewed(r)
	if c.session.open[r.side] == r {
		c.session.open[r.side] = nil
	}
	if c.session.open == [2]*refresh{} {
		if !r.notice { // which only one side may have had
			c.session.arm(c)
		}
		c.notify() // what has changed meanwhile
	}
}

// gone ends the call: that side has lost it (RFC 4028 §10).
func (r *refresh) gone(why string) {
	c := r.call
	if r.notice {
		r.finish()
		return
	}
	r.done = true
	c.session.open[r.side] = nil
	c.hangUp(verdict{result: failed, status: 408, reason: "session expired: the " + sideName(r.side) + " does not answer: " + why}, nil)
}
