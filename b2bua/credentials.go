package b2bua

import (
	"log/slog"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// login is as whom we call a target, and what it has asked for last (RFC 3261
// §22.3). Each target of a call has its own: what one of them asks is nothing to
// be shown to another. Nil: the target's challenges are the caller's affair.
type login struct {
	who   digest.Credentials
	asked *digest.Challenge // nil: nothing yet
}

func newLogin(who *policy.Credentials) *login {
	if who == nil {
		return nil
	}
	return &login{who: digest.Credentials{User: who.User, Password: who.Password}}
}

// again is the same user at another place.
func (l *login) again() *login {
	if l == nil {
		return nil
	}
	return &login{who: l.who}
}

// sign shows the target what it asked for last, in a request of leg B.
func (l *login) sign(out *sip.Message) {
	if l != nil && l.asked != nil {
		l.asked.Sign(out, l.who)
	}
}

// copyFrom takes over what was shown in another request: an ACK bears the
// credentials of its INVITE (RFC 3261 §13.2.2.4).
func (l *login) copyFrom(invite, ack *sip.Message) {
	if l == nil || l.asked == nil {
		return
	}
	if v := invite.Get(l.asked.Field()); v != "" {
		ack.Set(l.asked.Field(), v)
	}
}

// loginTowards is that of a side in the dialog of the call.
func (c *Call) loginTowards(s side) *login {
	if s == sideB {
		return c.current.login
	}
	return nil
}

// ours tells whether a failure asks for credentials that are ours to show: the
// caller could do nothing with it.
func (l *login) ours(status int) bool { return l != nil && (status == 401 || status == 407) }

// answer takes a 401 or 407 of the target. It returns the request once more, with
// our answer and the number after cseq, or nil when it cannot be answered: tried
// says that it bore an answer to a challenge just received, so that another one
// means a wrong password unless it calls the nonce stale.
func (l *login) answer(tx *txn.ClientTx, resp *sip.Message, tried int, cseq uint32, log *slog.Logger) *sip.Message {
	if !l.ours(resp.Status) {
		return nil
	}
	asked, ok := digest.Of(resp)
	if !ok || tried > 1 || tried == 1 && !asked.Stale() {
		log.Warn("target refuses our credentials", "user", l.who.User, "known_challenge", ok)
		return nil
	}
	l.asked = asked
	out := tx.Request().Clone()
	out.Del("Via")
	out.Set("CSeq", sip.CSeq{Num: cseq + 1, Method: out.Method}.String())
	l.sign(out)
	return out
}

// challenged answers a challenge of leg B, if it can.
func (c *Call) challenged(l *login, tx *txn.ClientTx, resp *sip.Message, tried int, cseq uint32) *sip.Message {
	return l.answer(tx, resp, tried, cseq, c.log)
}

// knownAs notes the login of the target that a transaction of the first INVITE asks.
func (c *Call) knownAs(l *login, tx *txn.ClientTx) {
	if l == nil {
		return
	}
	if c.logins == nil {
		c.logins = map[*txn.ClientTx]*login{}
	}
	c.logins[tx] = l
}

// tries count how often a request was sent again as its target wanted it.
type tries struct{ challenges, timers int }

// answers sends the request of an exchange again when its target wants to know
// who we are, or wants another session timer than we do; the caller hears nothing
// of it.
func (x *exchange) answers(tx *txn.ClientTx, resp *sip.Message) bool {
	c := x.call
	if x.from != sideA || x.cancelled || c.state == StateEnding {
		return false
	}
	last, who := tx.Request().CSeq().Num, c.logins[tx]
	if x.hunt == nil {
		last, who = x.branch.dialogs[sideB].LocalCSeq, x.branch.login
	}
	tried := x.tried[tx]
	out := c.challenged(who, tx, resp, tried.challenges, last)
	if out != nil {
		tried.challenges++
	} else if out = x.demanded(tx, resp, last); out != nil {
		tried.timers++
	} else {
		return false
	}
	again := c.lane.Request(out, tx.Target(), x)
	c.track(again)
	if x.tried == nil {
		x.tried = map[*txn.ClientTx]tries{}
	}
	x.tried[again] = tried
	if x.hunt != nil {
		c.knownAs(who, again)
	}
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
