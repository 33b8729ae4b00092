package b2bua

import (
	"strings"
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
	p.remember(p.hop)
	p.ask(out, tx.Target())
	return true
}

// remember notes what the target has seen of the sender.
func (p *passage) remember(hop string) {
	p.hop = hop
	p.srv.numbers(p.server.Lane).note(p.server.Request, signed{p.number, p.uri.login, hop}, p.server.Lane.Now())
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
	now, before map[origin]signed
	since       time.Time
}

// origin is one end of a dialog, or of what uses one Call-ID.
type origin struct{ callID, tag string }

// signed is what is known of an origin.
type signed struct {
	number uint32
	who    *login // as whom we have spoken for it
	hop    string // where the other end of its subscription is: who is shown our password (Server.keeps); "": nowhere
}

const (
	maxNumbers = 4096           // of a lane and a generation
	numbersAge = 24 * time.Hour // the shortest time that one is remembered: subscriptions are refreshed once a day, at least
)

// next is what a request goes on with.
func (n *numbers) next(req *sip.Message, now time.Time) signed {
	own := req.CSeq().Num
	k := origin{req.CallID(), req.FromTag()}
	last, ok := n.now[k]
	if !ok {
		last, ok = n.before[k]
	}
	if !ok {
		return signed{number: own}
	}
	last.number = max(own, last.number+1)
	n.note(req, last, now)
	return last
}

// note remembers that a request has gone on so.
func (n *numbers) note(req *sip.Message, as signed, now time.Time) {
	if n.now == nil || len(n.now) >= maxNumbers || now.Sub(n.since) > numbersAge {
		n.before, n.now, n.since = n.now, map[origin]signed{}, now
	}
	n.now[origin{strings.Clone(req.CallID()), strings.Clone(req.FromTag())}] = as
}

// numbers are those of a lane.
func (s *Server) numbers(l *txn.Lane) *numbers { return &s.lanes[l.Index()].numbers }
