package src

import (
	"cmp"
	"slices"
	"strconv"

	"sidetrack/internal/redact"
	"sidetrack/internal/sip"
)

// maxRedirects bounds how many other places one attempt goes to.
const maxRedirects = 5

// redirects are the places that an SRS has named in 3xx responses (RFC 3261
// §8.1.3.4). They are asked in turn, within the time that the SRS has.
type redirects struct {
	left    []string
	seen    []string // asked already, or to be asked
	follows int
}

// take keeps the Contacts of a 3xx, the most wanted first; one that has been
// named before, or has been asked, is not asked twice.
func (r *redirects) take(resp *sip.Message, asked string) {
	if r.seen == nil {
		r.seen = []string{asked}
	}
	type choice struct {
		uri string
		q   float64
	}
	var all []choice
	for _, value := range resp.List("Contact") {
		addr, err := sip.ParseNameAddr(value)
		if err != nil {
			continue
		}
		uri, err := sip.ParseURI(addr.URI)
		if err != nil || uri.Host == "" || (uri.Scheme != "sip" && uri.Scheme != "sips") {
			continue
		}
		uri.Headers = ""
		q := 1.0
		if text, ok := addr.Params.Get("q"); ok {
			if v, err := strconv.ParseFloat(text, 64); err == nil {
				q = v
			}
		}
		all = append(all, choice{uri.String(), q})
	}
	slices.SortStableFunc(all, func(a, b choice) int { return cmp.Compare(b.q, a.q) })
	for _, c := range all {
		if !slices.Contains(r.seen, c.uri) {
			r.seen = append(r.seen, c.uri)
			r.left = append(r.left, c.uri)
		}
	}
}

// redirect takes the attempt to the next place that the SRS has named; false:
// there is none. Elsewhere nothing is told of the credentials.
func (a *attempt) redirect() bool {
	r := &a.redirects
	if a.over || len(r.left) == 0 || r.follows >= maxRedirects {
		return false
	}
	r.follows++
	a.uri, r.left = r.left[0], r.left[1:]
	a.auth, a.signed = &authority{}, challenged{}
	a.s.logger().Info("redirected by the SRS", "srs", a.srs, "to", redact.Passwords(a.uri))
	a.s.lane.Resolve(a.uri, a.onRedirected)
	return true
}

// moved takes a final response that a redirection may help.
func (a *attempt) moved(resp *sip.Message) bool {
	if !a.s.recorder.FollowRedirects {
		return false
	}
	if resp.Status < 400 {
		a.redirects.take(resp, a.uri)
	}
	return a.redirect()
}
