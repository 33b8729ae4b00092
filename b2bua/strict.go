package b2bua

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
)

// Before RFC 3261 a router put the next URI of the route into the Request-URI, and
// whom the request was for behind the last Route. Within the dialogs of calls package
// dialog sees to that; here it is done for requests that pass us as a proxy.

// loosened is a request that has come that way, our Path or Record-Route being its
// Request-URI, as a loose router would have sent it (RFC 3261 §16.4).
func (s *Server) loosened(req *sip.Message) *sip.Message {
	routes := req.List("Route")
	if len(routes) == 0 {
		return req
	}
	u, err := sip.ParseURI(req.RequestURI)
	if err != nil || !u.Params.Has("lr") || !isBindingToken(u.User) || !s.ourHost(u) {
		return req
	}
	last := len(routes) - 1
	to, err := sip.ParseNameAddr(routes[last])
	if err != nil {
		return req
	}
	out := req.Clone()
	out.RequestURI = to.URI
	setRoutes(out, append([]string{"<" + req.RequestURI + ">"}, routes[:last]...))
	return out
}

// routeStrictly fits a request for the router that is first in its route, if that is
// one of those (RFC 3261 §16.6 step 6).
func routeStrictly(out *sip.Message) {
	d := dialog.Dialog{RemoteTarget: out.RequestURI, Routes: out.List("Route")}
	uri, routes := d.Routing()
	if uri != out.RequestURI {
		out.RequestURI = uri
		setRoutes(out, routes)
	}
}

func setRoutes(m *sip.Message, routes []string) {
	m.Del("Route")
	for _, r := range routes {
		m.Add("Route", r)
	}
}
