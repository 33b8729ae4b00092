package config

import (
	"fmt"
	"strings"

	"sidetrack/policy"
)

// srtpPass is the value of srtp that has SRTP of the parties pass.
const srtpPass = "pass"

// legs reads whether SRTP passes (nil) or ends here, and what either side speaks.
func (c cursor) legs() *policy.SRTP {
	if c.n.kind == scalar {
		if s, ok := c.word("pass, or {caller: required, callee: off} with off, optional or required for each side"); ok && s != srtpPass {
			c.failf("%s is no way of SRTP; write pass, or {caller: required, callee: off} with off, optional or required for each side", c.show())
		}
		return nil
	}
	out := &policy.SRTP{Caller: policy.SRTPOptional, Callee: policy.SRTPOptional, Keying: policy.KeyingSDES}
	side := func(into *policy.SRTPUse) func(cursor) {
		return func(c cursor) { choose(c, into, policy.SRTPOff, policy.SRTPOptional, policy.SRTPRequired) }
	}
	if !c.read(fields{
		{"caller", side(&out.Caller)},
		{"callee", side(&out.Callee)},
		{"keying", func(c cursor) {
			choose(c, &out.Keying, policy.KeyingSDES, policy.KeyingDTLS, policy.KeyingEither)
		}},
		{"suites", func(c cursor) { out.Suites = c.suites() }},
	}) {
		return nil
	}
	return out
}

// routeLegs has route i go by what it says of SRTP itself, else by media.srtp.
func (d *decoder) routeLegs(c cursor, i int, own *policy.SRTP) {
	said := c.n.get("srtp") != nil
	d.later(func() {
		r := &d.cfg.Policy.Routes[i]
		if r.SRTP = own; !said {
			r.SRTP = d.cfg.Policy.Registered
		}
		if r.SRTP == nil || r.SRTP.Callee != policy.SRTPRequired || r.SRTP.Keying == policy.KeyingDTLS {
			return
		}
		for _, t := range r.Targets {
			to, err := parseTarget(strings.SplitN(t.URI, "?", 2)[0])
			if err == nil && to.transport != "tls" && (to.transport != "" || to.addr.IsValid()) {
				c.warnf("keys of SRTP go to %s without TLS: whoever can read the signalling can hear the call", shownTarget(t))
				return
			}
		}
	})
}

// describeLegs tells it for people; "" where SRTP passes.
func describeLegs(s *policy.SRTP) string {
	if s == nil {
		return ""
	}
	by := map[policy.Keying]string{policy.KeyingDTLS: ", keys by DTLS", policy.KeyingEither: ", keys by SDES or DTLS"}[s.Keying]
	return fmt.Sprintf("SRTP ends here: %s towards the caller, %s towards the callee%s", s.Caller, s.Callee, by)
}
