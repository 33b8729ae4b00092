package b2bua

import (
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
	case routed && ok && tx.Flow == b.flow:
		p := &passage{srv: s, server: tx}
		p.uris = []candidate{{uri: s.beyond(tx.Request)}}
		p.next(503)
	case !ok:
		// After a restart the phone must register once before it is reached.
		s.reject(tx, 480, "Not Registered", "unregistered")
	case !s.reachable(b.flow):
		s.reject(tx, lostFlow(routed), "", "flow")
	case tx.Request.Method == "INVITE":
		s.onInvite(tx, &callee{binding: b, routed: routed})
	default:
		to := &callee{binding: b, routed: routed}
		p := &passage{srv: s, server: tx, callee: to, left: []txn.Target{txn.FlowTarget(b.flow)}}
		p.next(503)
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

// reachable tells whether a flow can still be sent to: a connection that the
// phone opened cannot be opened by us.
func (s *Server) reachable(f transport.Flow) bool {
	if f.Conn == 0 {
		return true
	}
	_, ok := s.cfg.Transport.Find(f)
	return ok
}

// callee is the phone a request goes to.
type callee struct {
	binding
	routed bool // by Path: the Request-URI is the phone's already
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

// recordRoute keeps us in the path of a dialog that a phone and the PBX make
// without a call, such as a subscription: one of them cannot reach the other.
// There is a value for each side's socket (RFC 5658 §4).
func (p *passage) recordRoute(out *sip.Message, leaving *transport.Listener) {
	if (out.Method != "SUBSCRIBE" && out.Method != "REFER") || out.ToTag() != "" {
		return
	}
	arrived := p.server.Flow.Listener
	token := p.srv.bindings.of(p.server.Flow)
	if p.callee != nil {
		token = p.callee.token
	}
	if token == "" || arrived == nil || leaving == nil {
		return
	}
	if arrived != leaving {
		out.Prepend("Record-Route", "<"+arrived.ContactURI(token)+";lr>")
	}
	out.Prepend("Record-Route", "<"+leaving.ContactURI(token)+";lr>")
}
