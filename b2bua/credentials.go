package b2bua

import (
	"fmt"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/internal/sip/txn"
)

// credential shows the target of a route with credentials, in a request of leg
// B, what it asked for last (RFC 3261 §22.3).
func (c *Call) credential(out *sip.Message) {
	if c.route.Auth == nil || c.auth == nil {
		return
	}
	c.auth.Sign(out, digest.Credentials{User: c.route.Auth.User, Password: c.route.Auth.Password})
}

// challenged takes a 401 or 407 of leg B. It returns the request once more, with
// our answer and the number after cseq, or nil when it cannot be answered: tried
// says that it bore an answer to a challenge just received, so that another one
// means a wrong password unless it calls the nonce stale.
func (c *Call) challenged(tx *txn.ClientTx, resp *sip.Message, tried int, cseq uint32) *sip.Message {
	if !c.ourChallenge(resp.Status) {
		return nil
	}
	asked, ok := digest.Of(resp)
	if !ok || tried > 1 || tried == 1 && !asked.Stale() {
		c.log.Warn("target refuses our credentials", "user", c.route.Auth.User, "known_challenge", ok)
		return nil
	}
	c.auth = asked
	out := tx.Request().Clone()
	out.Del("Via")
	out.Set("CSeq", fmt.Sprintf("%d %s", cseq+1, out.Method))
	c.credential(out)
	return out
}

// answers sends the request of an exchange again when its target wants to know
// who we are, or wants another session timer than we do; the caller hears nothing
// of it.
func (x *exchange) answers(tx *txn.ClientTx, resp *sip.Message) bool {
	c := x.call
	if x.from != sideA || x.cancelled || c.state == StateEnding {
		return false
	}
	last := tx.Request().CSeq().Num
	if x.hunt == nil {
		last = x.branch.dialogs[sideB].LocalCSeq
	}
	tried := x.tried[tx]
	out := c.challenged(tx, resp, tried, last)
	if out != nil {
		tried++
	} else if out = x.demanded(tx, resp, last); out == nil {
		return false
	}
	again := c.lane.Request(out, tx.Target(), x)
	c.track(again)
	if x.tried == nil {
		x.tried = map[*txn.ClientTx]int{}
	}
	x.tried[again] = tried
	x.cseqOut = last + 1
	switch {
	case x.hunt == nil:
		x.branch.dialogs[sideB].LocalCSeq, x.out, x.client = last+1, out, again
	case x.hunt.fan != nil:
		x.hunt.fan.open[again] = x.hunt.drop(x, tx)
	default:
		c.prune(tx)
		x.client = again
	}
	return true
}

// ourChallenge tells whether a failure asks for credentials that are ours to
// show: the caller could do nothing with it.
func (c *Call) ourChallenge(status int) bool {
	return c.route.Auth != nil && (status == 401 || status == 407)
}

// tagTowardsB is our From-tag of leg B.
func (x *exchange) tagTowardsB() string {
	if t := x.call.legs[sideB].localTag; t != "" {
		return t
	}
	return x.call.invite.FromTag()
}
