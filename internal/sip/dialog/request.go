package dialog

import "sidetrack/internal/sip"

// maxForwards is what a request of our own begins with (RFC 3261 §8.1.1.6).
const maxForwards = "70"

// Request builds the next request of that method within the dialog and raises LocalCSeq (RFC 3261 §12.2.1.1). It has
// Route, Max-Forwards, From, To, Call-ID and CSeq; Via is added on sending, Contact and the rest by the owner.
// ACK and CANCEL carry their INVITE's number: see RequestCSeq.
func (d *Dialog) Request(method string) *sip.Message {
	return d.RequestCSeq(method, d.nextCSeq())
}

// RequestCSeq builds a request with a number given, and leaves LocalCSeq alone: the ACK of a 2xx, or a request that
// repeats the peer's numbering.
func (d *Dialog) RequestCSeq(method string, cseq uint32) *sip.Message {
	uri, routes := d.Routing()
	req := sip.NewRequest(method, uri)
	for _, route := range routes {
		req.Add("Route", route)
	}
	req.Add("Max-Forwards", maxForwards)
	req.Add("From", d.Local)
	req.Add("To", d.Remote)
	req.Add("Call-ID", d.CallID)
	req.Add("CSeq", sip.CSeq{Num: cseq, Method: method}.String())
	return req
}

// remoteURI gives the remote target as a Request-URI.
func (d *Dialog) remoteURI() string {
	parsed, err := sip.ParseURI(d.RemoteTarget)
	if err != nil {
		return d.RemoteTarget
	}
	return withoutForbidden(parsed, d.RemoteTarget)
}

// Routing gives Request-URI and Route values (RFC 3261 §12.2.1.1). Behind a strict router, one whose URI lacks lr,
// that router's URI becomes the Request-URI and the remote target ends the route.
func (d *Dialog) Routing() (uri string, routes []string) {
	if len(d.Routes) == 0 {
		return d.remoteURI(), nil
	}
	first, loose := route(d.Routes[0])
	if loose {
		return d.remoteURI(), d.Routes
	}
	routes = append(routes, d.Routes[1:]...)
	return first, append(routes, "<"+d.RemoteTarget+">")
}

// NextHop gives the URI to resolve for a request within the dialog: the first route, else the remote target
// (RFC 3261 §8.1.2). A strict router is the first route as well, so it is both next hop and Request-URI.
func (d *Dialog) NextHop() string {
	if len(d.Routes) == 0 {
		return d.RemoteTarget
	}
	uri, _ := route(d.Routes[0])
	return uri
}

// route gives the URI of a Route value and whether it is a loose router's. An lr outside the brackets counts too: no
// strict router ever wrote one. A value that cannot be read counts as loose: nothing is then put into a Request-URI that
// we do not understand.
func route(value string) (uri string, loose bool) {
	n, err := sip.ParseNameAddr(value)
	if err != nil {
		return value, true
	}
	parsed, err := sip.ParseURI(n.URI)
	if err != nil {
		return n.URI, true
	}
	return withoutForbidden(parsed, n.URI), parsed.Params.Has("lr") || n.Params.Has("lr")
}

// withoutForbidden takes off what may not stand in a Request-URI (RFC 3261 §19.1.1): header fields and method.
func withoutForbidden(u sip.URI, raw string) string {
	if u.Headers == "" && !u.Params.Has("method") {
		return raw
	}
	u.Headers = ""
	var kept sip.Params
	for _, p := range u.Params {
		if !(sip.Header{Name: p.Name}).Is("method") {
			kept = append(kept, p)
		}
	}
	u.Params = kept
	return u.String()
}
