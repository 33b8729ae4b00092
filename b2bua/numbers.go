package b2bua

import (
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
)

// signs tells whether a challenge is ours to answer. That of a registrar never is:
// everybody would register as whom we are. Nor is it when the sender shows
// credentials of its own.
func (p *passage) signs(status int) bool {
	field := "Authorization"
	if status == 407 {
		field = "Proxy-Authorization"
	}
	return p.registration == nil && p.uri.login.ours(status) && !p.server.Request.Has(field)
}

// answers sends the request again when its target wants to know who we are.
func (p *passage) answers(tx *txn.ClientTx, resp *sip.Message) bool {
	if !p.signs(resp.Status) {
		return false
	}
	out := p.uri.login.answer(tx, resp, p.tried, p.number, p.srv.cfg.Log)
	if out == nil {
		return false
	}
	p.timer.Stop()
	p.tried++
	p.number++
	p.srv.lanes[p.server.Lane.Index()].numbers.note(p.server.Request, p.number, p.server.Lane.Now())
	p.ask(out, tx.Target())
	return true
}

// renumber gives the request the number that the target must see, and what the
// target, or another place of its name, has asked for already.
func (p *passage) renumber(out *sip.Message) {
	if n := p.number; n != out.CSeq().Num {
		out.Set("CSeq", sip.CSeq{Num: n, Method: out.Method}.String())
	}
	if p.registration == nil {
		p.uri.login.sign(out)
	}
}

// numbers remember what CSeq a target has seen of a sender in whose place we have
// answered a challenge: the number rises with that (RFC 3261 §22.2), the sender
// does not hear of it, and its next request in the same dialog, or of the same
// Call-ID, must be higher still (§12.2.2). In two generations of bounded size.
type numbers struct {
	now, before map[origin]uint32
	since       time.Time
}

// origin is one end of a dialog, or of what uses one Call-ID.
type origin struct{ callID, tag string }

const (
	maxNumbers = 4096      // of a lane and a generation
	numbersAge = time.Hour // the shortest time that one is remembered
)

// next is the number that a request goes on with.
func (n *numbers) next(req *sip.Message, now time.Time) uint32 {
	own := req.CSeq().Num
	k := origin{req.CallID(), req.FromTag()}
	last, ok := n.now[k]
	if !ok {
		last, ok = n.before[k]
	}
	if !ok || own > last {
		return own
	}
	n.note(req, last+1, now)
	return last + 1
}

// note remembers that a request has gone with that number.
func (n *numbers) note(req *sip.Message, number uint32, now time.Time) {
	if n.now == nil || len(n.now) >= maxNumbers || now.Sub(n.since) > numbersAge {
		n.before, n.now, n.since = n.now, map[origin]uint32{}, now
	}
	n.now[origin{req.CallID(), req.FromTag()}] = number
}
