package b2bua

import (
	"errors"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// RegisteredRoute is the name of the route of requests to phones that have
// registered through us. No route of the configuration is asked about them.
const RegisteredRoute = "registered"

func (s *Server) registeredRoute() *policy.Route {
	rules := s.cfg.Policy()
	return &policy.Route{Name: RegisteredRoute, SRTP: rules.Registered(), Aware: rules.Aware()}
}

// addressed returns the token of a registration that a request is for: in the
// topmost Route, where our Path or Record-Route put it, or in the Request-URI,
// as our Contact.
func (s *Server) addressed(req *sip.Message, u sip.URI) (token string, routed bool) {
	if routes := req.List("Route"); len(routes) > 0 {
		if r, ok := s.ownRoute(routes[0]); ok && isBindingToken(r.User) {
			return r.User, true
		}
	}
	if isBindingToken(u.User) && s.ourHost(u) {
		return u.User, false
	}
	return "", false
}

// ownRoute parses a Route value that names us.
func (s *Server) ownRoute(value string) (sip.URI, bool) {
	n, err := sip.ParseNameAddr(value)
	if err != nil {
		return sip.URI{}, false
	}
	u, err := sip.ParseURI(n.URI)
	return u, err == nil && s.ourHost(u)
}

// onRegistered takes a request for a phone, or, when it comes by the phone's own
// flow, one of the phone's within a dialog whose route we are on (RFC 5626
// §5.3.1, §5.3.2).
func (s *Server) onRegistered(tx *txn.ServerTx, token string, routed bool) {
	b, ok := s.bindings.find(token, tx.Lane.Now())
	switch {
	case routed && ok && tx.Flow.Place() == b.flow.Place(), s.keeps(tx.Request):
		s.relayOnward(tx)
	case !ok:
		// After a restart the phone must register once before it is reached.
		s.reject(tx, 480, "Not Registered", "unregistered")
	case !s.reachable(b.flow):
		s.reject(tx, lostFlow(routed), "", "flow")
	case tx.Request.Method == "INVITE":
		s.onInvite(tx, s.calleeOf(b, routed))
	default:
		s.relayTo(tx, s.calleeOf(b, routed))
	}
}

// lostFlow is the status when a phone's connection is closed: whoever used a
// Path may try another of the phone's flows (RFC 5626 §11.5, 430 Flow Failed).
func lostFlow(routed bool) int {
	if routed {
		return 430
	}
	return 480
}

// statusOf is what who asked for a callee is told of a failed transaction: that a
// phone is not where it was says nothing of us. c may be nil.
func (c *callee) statusOf(err error) int {
	if c != nil && c.token != "" && errors.Is(err, txn.ErrTransport) {
		return lostFlow(c.routed)
	}
	return statusOf(err)
}

// reachable tells whether a flow can still be sent to: a connection that the
// phone opened cannot be opened by us.
func (s *Server) reachable(f transport.Flow) bool {
	if f.Conn == 0 {
		return true
	}
	_, ok := s.cfg.Transport.Find(f)
	return ok
}

// callee is whom a request goes to that is not sent by the rules: a phone that has
// registered through us, or the party of a call whose Contact was asked.
type callee struct {
	binding
	routed bool // by Path: the Request-URI is the phone's already
	known  bool // his word is taken (Call.known)
	route  *policy.Route
	login  *login       // as whom we call him; nil: not for us to say
	at     []txn.Target // where he is; empty: to be looked up
	hop    string       // by this URI
}

func (s *Server) calleeOf(b binding, routed bool) *callee {
	return &callee{binding: b, routed: routed, route: s.registeredRoute(), at: []txn.Target{txn.FlowTarget(b.flow)}, hop: b.contact}
}

// requestURI is the Request-URI for the phone.
func (c *callee) requestURI(req *sip.Message) string {
	if c.routed {
		return req.RequestURI
	}
	return c.contact
}

// beyond is where a request goes whose topmost Routes are ours.
func (s *Server) beyond(req *sip.Message) string {
	for _, r := range req.List("Route") {
		if _, ours := s.ownRoute(r); ours {
			continue
		}
		if n, err := sip.ParseNameAddr(r); err == nil {
			return n.URI
		}
	}
	return req.RequestURI
}

// relayOnward passes a request of a dialog in whose route we are to where its route
// goes on. Our password is shown where it was asked for when the dialog began and
// nowhere else, whatever the sender has written there.
func (s *Server) relayOnward(tx *txn.ServerTx) {
	p := s.passage(tx)
	to := candidate{uri: s.beyond(tx.Request)}
	if to.uri == p.hop {
		to.login = p.uri.login
	}
	p.uris = []candidate{to}
	p.next(503)
}

// recordRoute keeps us in the path of a dialog that is made without a call, such
// as a subscription: where a phone and the PBX make it, one of them cannot reach
// the other; where we show credentials, its refreshes need them as well. There is
// a value for each side's socket (RFC 5658 §4).
func (p *passage) recordRoute(out *sip.Message, leaving *transport.Listener) {
	if (out.Method != "SUBSCRIBE" && out.Method != "REFER") || out.ToTag() != "" {
		return
	}
	arrived := p.server.Flow.Listener
	token := p.srv.bindings.of(p.server.Flow)
	if p.callee != nil {
		token = p.callee.token
	}
	p.kept = p.uri.login != nil
	if p.kept && token == "" {
		token = p.srv.dialogToken(out)
	}
	if token == "" || arrived == nil || leaving == nil {
		return
	}
	if arrived != leaving {
		out.Prepend("Record-Route", "<"+arrived.ContactURI(token)+";lr>")
	}
	out.Prepend("Record-Route", "<"+leaving.ContactURI(token)+";lr>")
}

// dialogToken stands in the route of a dialog that no registered phone has made:
// who shows it for the same Call-ID was given it with that dialog.
func (s *Server) dialogToken(req *sip.Message) string {
	return s.bindings.token("dialog", req.CallID())
}

// keeps tells whether a request belongs to a dialog that stays with us for the
// credentials that we show in it, one that is made without a call; nothing else
// passes by it.
func (s *Server) keeps(req *sip.Message) bool {
	switch req.Method {
	case "SUBSCRIBE", "NOTIFY", "REFER":
	default:
		return false
	}
	if req.ToTag() == "" {
		return false
	}
	token, routed := s.addressed(req, sip.URI{})
	return routed && token == s.dialogToken(req)
}

// hopOf is where the other end's requests go from us in the dialog that a 2xx has
// made: to who comes behind us in the route, else to the Contact.
func (s *Server) hopOf(resp *sip.Message) string {
	hop := ""
	if contact, ok := resp.Contact(); ok {
		hop = contact.URI
	}
	for _, r := range resp.List("Record-Route") {
		if _, ours := s.ownRoute(r); ours {
			break
		}
		if n, err := sip.ParseNameAddr(r); err == nil {
			hop = n.URI
		}
	}
	return strings.Clone(hop)
}
