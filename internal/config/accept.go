package config

import (
	"net/netip"
	"strings"

	"sidetrack/policy"
)

// Accept says which SRSs may ask for recordings by INVITE, and of which calls.
type Accept struct {
	From        []netip.Prefix // of the INVITE's packet
	Certificate []string       // names of which the SRS's TLS certificate must have one
	Auth        *Auth          // that it must show by digest
	Match       policy.Match   // over the INVITE of the call, route and all
	Tracks      policy.Tracks
}

// accept reads recorders.*.accept.
func (d *decoder) accept(c cursor) *Accept {
	a := &Accept{Tracks: policy.TracksBoth}
	if !c.read(fields{
		{"from", func(c cursor) { a.From = c.cidrs() }},
		{"certificate", func(c cursor) { a.Certificate = d.certificateNames(c) }},
		{"auth", func(c cursor) { a.Auth = c.auth() }},
		{"match", func(c cursor) { a.Match = d.match(c, true) }},
		{"tracks", func(c cursor) { choose(c, &a.Tracks, policy.TracksBoth, policy.TracksCaller, policy.TracksCallee) }},
	}) {
		return nil
	}
	none := func(name string) bool {
		n := c.n.get(name)
		return n == nil || n.null() || n.kind == list && len(n.items) == 0
	}
	if none("from") && none("certificate") && none("auth") {
		c.failf("says not who may ask; add from (addresses), certificate (names) or auth (user and password)")
	}
	return a
}

func (d *decoder) certificateNames(c cursor) (names []string) {
	for _, item := range c.words("names such as srs.example") {
		names = append(names, item.n.text)
	}
	d.later(func() {
		if t := d.cfg.SIP.TLS; len(names) > 0 && (t == nil || !t.VerifyClient) {
			c.failf("goes by certificates, which nobody is asked for; set sip.tls.verify_client: true")
		}
	})
	return names
}

// words says who may ask, and what for.
func (a *Accept) words() string {
	var who []string
	if len(a.From) > 0 {
		who = append(who, "from "+prefixes(a.From))
	}
	if len(a.Certificate) > 0 {
		who = append(who, "with a certificate of "+either(a.Certificate))
	}
	if a.Auth != nil {
		who = append(who, "as user "+a.Auth.User)
	}
	calls := "every call"
	if !a.Match.Empty() {
		calls = "calls with " + together(a.Match)
	}
	if a.Tracks != policy.TracksBoth {
		calls += ", the " + string(a.Tracks) + " only"
	}
	return "SRSs " + strings.Join(who, " and ") + ", for " + calls
}
