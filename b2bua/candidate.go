package b2bua

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/policy"
)

// candidate is somebody who may be asked: a target of the route, or the Contact
// of a redirection.
type candidate struct {
	uri     string
	late    bool         // it was put off: its endpoints did not answer others
	exact   bool         // uri is the Request-URI as well (RFC 3261 §8.1.3.4)
	headers []sip.Header // written behind the URI, ?X-Name=value
	own     []policy.RouteHeader
	login   *login // as whom we call it; nil: not for us to say
}

// candidates are the targets of a route for a request, those that are down last.
func (s *Server) candidates(route *policy.Route, req *sip.Message) []candidate {
	if route.RequestURI {
		return []candidate{{uri: req.RequestURI, login: newLogin(route.Auth)}}
	}
	out := make([]candidate, len(route.Targets))
	for i, t := range route.Targets {
		uri, query, _ := strings.Cut(t.URI, "?")
		who := t.Auth
		if who == nil {
			who = route.Auth
		}
		out[i] = candidate{uri: uri, headers: uriHeaders(query), own: t.Headers, login: newLogin(who)}
	}
	return s.health.order(route, out)
}

// uriHeaders takes the headers of a URI apart (RFC 3261 §19.1.1).
func uriHeaders(query string) []sip.Header {
	var out []sip.Header
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.PathUnescape(name)
		value, err2 := url.PathUnescape(value)
		if name != "" && err1 == nil && err2 == nil && ownHeader(name) == "" {
			out = append(out, sip.Header{Name: name, Value: policy.HeaderValue(value)})
		}
	}
	return out
}

// dress sets the headers of the route and of the target. They replace the
// sender's of the same name, so that who reads them can trust them.
func dress(m *sip.Message, route *policy.Route, in *policy.Invite, to candidate) {
	for _, set := range [][]policy.RouteHeader{route.Headers, to.own} {
		for _, h := range set {
			if value, err := h.Value.ExecuteHeader(in); err == nil {
				m.Set(h.Name, value)
			}
		}
	}
	for _, h := range to.headers {
		m.Set(h.Name, h.Value)
	}
}

// movesOn tells whether the next target is asked after this final code: as the
// route says or, where it does not, when the code speaks of the target and not
// of who is called.
func movesOn(route *policy.Route, status int) bool {
	if route != nil && route.FailoverCodes != nil {
		return route.FailoverCodes.MatchString(strconv.Itoa(status))
	}
	switch status {
	case 408, 500, 502, 503, 504:
		return true
	}
	return false
}

// maxRedirects bounds how often one INVITE is redirected, and to how many.
const maxRedirects = 10

// redirected follows a 3xx where the route says so: its Contacts are asked
// next, by their q (RFC 3261 §8.1.3.4). A Contact that was asked before is
// left out; it would send us round in circles.
func (h *hunt) redirected(x *exchange, who *login, resp *sip.Message) bool {
	c := x.call
	if resp.Status >= 400 || !c.route.FollowRedirects || h.followed >= maxRedirects {
		return false
	}
	next := h.contactsOf(resp, who)
	if len(next) == 0 {
		return false
	}
	h.followed++
	c.log.Info("redirected", "target", h.uri.uri, "status", resp.Status, "to", next[0].uri)
	if h.fan != nil {
		h.ring(x, next)
		return true
	}
	h.uris, h.endpoints = append(next, h.uris...), nil // the others of this name are the same server
	h.failed(x, 480, nil)                              // what the caller is told is what those asked next say
	return true
}

// refusedContact tells whether a failure is that of one Contact of a redirection of
// which others are left: whatever it says, they are asked as well (RFC 3261
// §8.1.3.4), but for a challenge, which is the caller's, and for 6xx, which is
// everybody's.
func (h *hunt) refusedContact(status int) bool {
	return h.uri.exact && len(h.uris) > 0 && h.uris[0].exact && status >= 400 && status < 600 && status != 401 && status != 407
}

// contactsOf are those whom a redirection names; they know us by the name that
// who redirected does.
func (h *hunt) contactsOf(resp *sip.Message, who *login) []candidate {
	type choice struct {
		candidate
		q float64
	}
	var all []choice
	for _, value := range resp.List("Contact") {
		n, err := sip.ParseNameAddr(value)
		if err != nil || len(all) >= maxRedirects {
			continue
		}
		uri, _, _ := strings.Cut(n.URI, "?") // headers of strangers are not taken over
		if u, err := sip.ParseURI(uri); err != nil || u.Scheme != "sip" && u.Scheme != "sips" || h.asked[uri] {
			continue
		}
		all = append(all, choice{candidate{uri: uri, exact: true, login: who.again()}, weight(n)})
		h.note(uri)
	}
	slices.SortStableFunc(all, func(a, b choice) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	out := make([]candidate, len(all))
	for i, a := range all {
		out[i] = a.candidate
	}
	return out
}

func (h *hunt) note(uri string) {
	if h.asked == nil {
		h.asked = map[string]bool{}
	}
	h.asked[uri] = true
}

// weight is the q parameter of a Contact, 1 when there is none.
func weight(n sip.NameAddr) float64 {
	if v, ok := n.Params.Get("q"); ok {
		if q, err := strconv.ParseFloat(v, 64); err == nil {
			return q
		}
	}
	return 1
}
