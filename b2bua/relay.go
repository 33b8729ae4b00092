package b2bua

import (
	"strconv"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// passage is a request that belongs to no call (REGISTER, SUBSCRIBE, MESSAGE …)
// on its way to the target of its route, and its response on the way back. We
// are in its path by Via only, as a proxy (RFC 3261 §16): Contact, Record-Route
// and everything else is the sender's.
type passage struct {
	srv    *Server
	server *txn.ServerTx
	route  *policy.Route // nil: none was asked
	in     *policy.Invite
	uris   []candidate
	uri    candidate // the one being asked
	left   []txn.Target
	client *txn.ClientTx // the one being asked
	tried  int           // challenges of the one being asked that were answered
	number uint32        // CSeq that the target sees: the sender's, until we have answered a challenge
	hop    string        // signed.hop
	timer  *txn.Timer
	best   *sip.Message // what the targets that failed had to say
	done   bool
	kept   bool // it begins a subscription that goes on by us and our password

	registration *registration // nil: no REGISTER
	callee       *callee       // nil: not for a phone that registered through us
}

// relayRequest passes a request that makes no call along its route.
func (s *Server) relayRequest(tx *txn.ServerTx) { s.relayAlong(s.passage(tx)) }

// passage is one that is about to begin.
func (s *Server) passage(tx *txn.ServerTx) *passage {
	as := s.numbers(tx.Lane).next(tx.Request, tx.Lane.Now())
	return &passage{srv: s, server: tx, number: as.number, hop: as.hop, uri: candidate{login: as.who}}
}

func (s *Server) relayAlong(p *passage) {
	tx := p.server
	if unknown := unknownExtensions(tx.Request, "Proxy-Require"); unknown != "" {
		s.badExtension(tx, unknown) // Require is for who answers (RFC 3261 §16.3)
		return
	}
	in := InviteOf(tx.Request, tx.Flow, tx.Lane.Now())
	route, ok := s.cfg.Policy().Route(in)
	if !ok {
		s.cfg.OnReject("no-route")
		s.refuse(tx, 404, "No Route")
		return
	}
	in.Route = route.Name
	p.route, p.in, p.uris = route, in, s.candidates(route, tx.Request)
	p.next(503)
}

// next asks the next target; status is told when none is left.
func (p *passage) next(status int) {
	p.timer.Stop()
	p.client = nil
	switch {
	case p.done:
	case len(p.left) > 0:
		p.send()
	case len(p.uris) > 0:
		p.resolve(status)
	default:
		p.exhausted(status)
	}
}

func (p *passage) resolve(status int) {
	p.uri, p.uris = p.uris[0], p.uris[1:]
	p.server.Lane.Resolve(p.uri.uri, func(found []txn.Target, err error) {
		if err != nil {
			p.srv.cfg.Log.Warn("target does not resolve", "method", p.server.Request.Method, "target", p.uri.uri, "error", err)
			found = nil
		}
		found, good := p.srv.penalties.order(found, p.server.Lane.Now())
		if !good && len(found) > 0 && len(p.uris) > 0 && !p.uri.late {
			p.uri.late = true
			p.uris, found = append(p.uris, p.uri), nil
		}
		p.left = found
		p.next(status)
	})
}

// exhausted tells of the failure. A 408 is not told: it would come when the
// sender has given up as well (RFC 4320 §4.2).
func (p *passage) exhausted(status int) {
	p.done = true
	switch {
	case p.best != nil:
		p.back(p.best)
	case status != 408:
		p.srv.reply(p.server, status, "")
	}
}

func (p *passage) send() {
	to := p.left[0]
	p.left = p.left[1:]
	if to.Listener == nil {
		to.Listener = p.srv.cfg.Txn.Leaving(to)
	}
	req := p.request(to.Listener)
	if status := p.srv.unfit(to, req.RequestURI); status != 0 {
		p.next(status)
		return
	}
	p.tried = 0
	p.ask(req, to)
}

// ask sends the request to a target.
func (p *passage) ask(req *sip.Message, to txn.Target) {
	p.client = p.server.Lane.Request(req, to, p)
	if len(p.left)+len(p.uris) > 0 {
		asked := p.client
		p.timer = p.server.Lane.After(p.srv.cfg.TargetTimeout, func() {
			if p.client == asked {
				p.next(408)
			}
		})
	}
}

// request is the request as it goes on (RFC 3261 §16.6).
func (p *passage) request(leaving *transport.Listener) *sip.Message {
	out := p.server.Request.Clone()
	out.Del("Via")
	out.Set("Max-Forwards", strconv.Itoa(maxForwards(out)-1))
	p.srv.popRoutes(out)
	if p.callee != nil {
		out.RequestURI = p.callee.requestURI(out)
	} else if p.route == nil { // it goes by its own (relayOnward)
		routeStrictly(out)
	} else if to, err := sip.ParseURI(p.uri.uri); err == nil && !p.route.RequestURI {
		out.RequestURI = p.srv.hostOf(to, out.RequestURI)
	}
	if p.registration != nil && leaving != nil {
		p.registration.outgoing(out, leaving)
	}
	p.recordRoute(out, leaving)
	p.srv.references.translate(out)
	if p.route != nil {
		dress(out, p.route, p.in, p.uri)
	}
	p.renumber(out)
	return out
}

// popRoutes takes our own URIs off the route (RFC 3261 §16.4): two when the
// request changes from one of our sockets to another (RFC 5658).
func (s *Server) popRoutes(m *sip.Message) {
	routes := m.List("Route")
	n := 0
	for n < len(routes) {
		if _, ours := s.ownRoute(routes[n]); !ours {
			break
		}
		n++
	}
	if n == 0 {
		return
	}
	setRoutes(m, routes[n:])
}

// OnResponse implements txn.ClientHandler. A target that was given up may still
// be the one that answers.
func (p *passage) OnResponse(tx *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	p.srv.penalties.forgive(tx.Target())
	switch {
	case p.done || resp.Status == 100:
	case resp.Status < 300 || tx == p.client && !p.signs(resp.Status) && !p.movesOn(resp.Status):
		p.done = resp.Status >= 200
		if p.done {
			p.timer.Stop()
		}
		if p.kept && tx == p.client && resp.Status/100 == 2 {
			p.remember(p.srv.hopOf(resp))
		}
		p.back(resp)
	case tx == p.client && p.answers(tx, resp):
	case tx == p.client && p.signs(resp.Status):
		p.next(403) // the sender could do nothing with it
	case tx == p.client:
		p.best = better(p.best, resp)
		p.next(resp.Status)
	}
}

// movesOn: a request that may have had its effect is not repeated after a 500,
// unless the route says so.
func (p *passage) movesOn(status int) bool {
	chosen := p.route != nil && p.route.FailoverCodes != nil
	return movesOn(p.route, status) && (chosen || status != 500)
}

// back passes a response (RFC 3261 §16.7): with the sender's Vias, else as it is.
func (p *passage) back(resp *sip.Message) {
	out := p.heard(resp).Clone()
	if p.registration != nil && resp.Status/100 == 2 {
		out = p.registration.answered(resp, p.server.Lane.Now())
	}
	if p.number != p.server.Request.CSeq().Num {
		out.Set("CSeq", p.server.Request.Get("CSeq"))
	}
	out.Del("Via")
	vias := p.server.Request.All("Via")
	for i := len(vias) - 1; i >= 0; i-- {
		out.Prepend("Via", vias[i])
	}
	p.server.Respond(out)
}

// heard is a response as it may go on: a phone's like its requests.
func (p *passage) heard(resp *sip.Message) *sip.Message {
	if p.callee == nil {
		return resp
	}
	flow := p.callee.flow
	known := p.callee.known || p.srv.knows(p.srv.settings.Load().door(flow.Listener), flow, p.server.Lane.Now())
	return p.srv.heard(resp, known, flow.Listener)
}

// OnFail implements txn.ClientHandler.
func (p *passage) OnFail(tx *txn.ClientTx, err error) {
	if tx != p.client {
		return
	}
	if p.callee == nil {
		p.srv.penalties.punish(tx.Target(), p.server.Lane.Now())
	}
	p.next(p.callee.statusOf(err))
}
