package config

import (
	"net/netip"
	"slices"
	"strings"
)

// Certified says whose TLS certificate is as good as a trusted address.
type Certified struct {
	CA    string   // PEM file of those who must have signed it
	Names []string // of which it must bear one, *.example.com for all below; empty: any
}

// Admission is who may start calls: any of the three will do, and everyone where
// none is set.
type Admission struct {
	Trusted   []netip.Prefix
	Certified *Certified
	SignIn    *SignIn
}

// Admission is that of what comes by a listener.
func (s *SIP) Admission(l Listener) Admission {
	a := Admission{s.Trusted, s.Certified, s.SignIn}
	if l.Trusted != nil {
		a.Trusted = l.Trusted
	}
	if l.ownCertified {
		a.Certified = l.Certified
	}
	if l.ownSignIn {
		a.SignIn = l.SignIn
	}
	return a
}

// Own tells whether a listener does not go by what sip says of who may start calls.
func (l Listener) Own() bool { return l.Trusted != nil || l.ownCertified || l.ownSignIn }

func (a Admission) everyone() bool {
	return len(a.Trusted) == 0 && a.Certified == nil && a.SignIn == nil
}

// certified reads trusted_certificates; ca "" without names is none. on is the
// socket that it is for, nil for all of them.
func (d *decoder) certified(c cursor, on *Listener) *Certified {
	out := &Certified{}
	var ca *cursor
	ok := c.read(fields{
		{"ca", func(c cursor) { out.CA, ca = d.fileName(c), &c }},
		{"names", func(c cursor) { out.Names = c.domains() }},
	})
	if !ok || c.n.null() || ca != nil && out.CA == "" && len(out.Names) == 0 {
		return nil
	}
	if out.CA != "" {
		if err := checkAuthorities(out.CA); err != nil {
			ca.failf("%v", err)
		}
	}
	d.later(func() { d.checkCertified(c, out, on) })
	return out
}

// checkCertified looks at what stands elsewhere in the file.
func (d *decoder) checkCertified(c cursor, out *Certified, on *Listener) {
	all := d.cfg.SIP.TLS
	own := out.CA != ""
	switch {
	case on != nil && on.Proto != "" && on.Proto != "tls":
		c.failf("has no effect on %s; certificates are shown by TLS alone", on.URL)
	case on == nil && !slices.ContainsFunc(d.cfg.SIP.Listeners, func(l Listener) bool { return l.Proto == "tls" }):
		c.failf("has no effect without a TLS socket; add tls://ADDRESS:5061 to sip.listen")
	case !own && (all == nil || all.CA == ""):
		c.failf("says not who signs them; add ca: FILE")
	case !own:
		out.CA = all.CA
		if len(out.Names) == 0 {
			c.warnf("names nobody: everyone whom sip.tls.ca has given a certificate may start calls; add names, or a ca of its own")
		}
	case all != nil && all.VerifyClient && all.CA != out.CA:
		c.warnf("sip.tls.verify_client refuses certificates that sip.tls.ca has not signed, before these count; leave it out")
	}
}

// domains reads names that certificates bear.
func (c cursor) domains() (names []string) {
	const want = "names such as trunk.example, or *.example.com for all below"
	for _, item := range c.words(want) {
		name := item.n.text
		if host := strings.TrimPrefix(name, "*."); !validHost(host) || numeric(host) {
			item.failf("%s is no name of a certificate; write %s", item.show(), want)
			continue
		}
		names = append(names, name)
	}
	return names
}

// words says who that is.
func (a *Certified) words() string {
	s := "with a certificate signed by " + a.CA
	if len(a.Names) > 0 {
		s += " for " + either(a.Names)
	}
	return s
}

// words says who may start calls.
func (a Admission) words() string {
	var who []string
	if len(a.Trusted) > 0 {
		who = append(who, prefixes(a.Trusted))
	}
	if a.Certified != nil {
		who = append(who, a.Certified.words())
	}
	switch {
	case len(who) > 0:
		return strings.Join(who, ", or ")
	case a.SignIn != nil:
		return "nobody without credentials"
	}
	return "everyone"
}
