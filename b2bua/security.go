package b2bua

import (
	"fmt"
	"strings"

	"sidetrack/forker"
	"sidetrack/internal/dtls"
	"sidetrack/internal/sdp"
	"sidetrack/internal/srtp"
	"sidetrack/policy"
)

// security ends SRTP on the legs of a call whose route says so: either side is
// shown keys of ours only, whatever the other side does. The zero value passes
// what the sides agree on.
//
// All of it follows from the rule and from what a side has said last, so that
// nothing is to be undone when an exchange fails: of a description with several
// a=crypto lines, an offer, the best suite is taken; an answer has one.
type security struct {
	rule   *policy.SRTP
	suites []srtp.Suite // that we offer
	taken  []srtp.Suite // that we take of an offer, the best first
	rings  map[ownSection]*keyring
	late   [2]bool // an answer of that side came from a device that our key may be too old for
	renews [2]bool // an offer of ours to that side is to have new keys

	identity *dtls.Identity // nil: no DTLS
	active   map[ownSection]bool
}

// ownSection names a section towards a side.
type ownSection struct {
	side   side
	stream int
}

// When a route names no suites few are offered, what is cheap and strong first and
// what everybody has last, for each makes the INVITE longer; and all are taken.
var (
	defaultSuites = []srtp.Suite{srtp.AEAD128GCM, srtp.AESCM128SHA80, srtp.AESCM128SHA32}
	defaultTaken  = []srtp.Suite{
		srtp.AEAD128GCM, srtp.AEAD256GCM, srtp.AESCM128SHA80, srtp.AESCM256SHA80, srtp.AESCM128SHA32, srtp.AESCM256SHA32,
	}
)

// inClear is what calls without a rule have. Nobody changes it.
var inClear = &security{}

func newSecurity(rule *policy.SRTP, identity func() *dtls.Identity) *security {
	if rule == nil {
		return inClear
	}
	k := &security{rule: rule, suites: defaultSuites, taken: defaultTaken, rings: map[ownSection]*keyring{}}
	if len(rule.Suites) > 0 {
		k.suites = nil
		for _, name := range rule.Suites {
			if suite, ok := srtp.ParseSuite(name); ok {
				k.suites = append(k.suites, suite)
			}
		}
		k.taken = k.suites
	}
	if rule.Keying == policy.KeyingDTLS || rule.Keying == policy.KeyingEither {
		k.identity, k.active = identity(), map[ownSection]bool{}
	}
	return k
}

// unacceptable says why a description is refused, with 488 (RFC 3261 §21.4.26).
type unacceptable string

func (e unacceptable) Error() string { return string(e) }

func (k *security) use(s side) policy.SRTPUse {
	if s == sideA {
		return k.rule.Caller
	}
	return k.rule.Callee
}

// line is the a=crypto line that we go by.
func (k *security) line(m *sdp.Media) (sdp.Crypto, bool) {
	if m.DTLS() || k.rule.Keying == policy.KeyingDTLS {
		return sdp.Crypto{}, false
	}
	usable := m.Cryptos()
	for _, suite := range k.taken {
		for _, c := range usable {
			if c.Key.Suite == suite && !c.ClearRTCP {
				return c, true
			}
		}
	}
	return sdp.Crypto{}, false
}

// takesOffer tells whether the offer of a side is as the rule wants it.
func (k *security) takesOffer(s side, d *sdp.Session) error {
	return k.each(d, func(i int, m *sdp.Media) error {
		keyed := k.keyed(s, i, m)
		k.ring(s, i).meet(k.deviceOf(d, m))
		switch use := k.use(s); {
		case use == policy.SRTPOff && m.Secure():
			return unacceptable("SRTP is off towards the " + sideName(s))
		case use == policy.SRTPOff || keyed:
			return nil
		case use == policy.SRTPRequired || m.Secure():
			return k.keyless(i, m)
		}
		return nil
	})
}

// keyless says what is wrong with the keys of a section.
func (k *security) keyless(i int, m *sdp.Media) error {
	why := "SRTP is required: no a=crypto"
	switch problem := m.CryptoProblem(); {
	case m.DTLS() && k.identity == nil:
		why = "DTLS-SRTP is not taken, a=crypto is"
	case k.identity != nil && (m.DTLS() || k.rule.Keying == policy.KeyingDTLS):
		why = "no a=fingerprint that can be checked"
	case problem != "":
		why = problem
	case len(m.Cryptos()) > 0:
		why = "no a=crypto with a suite that is taken"
	}
	return unacceptable(fmt.Sprintf("m-line %d: %s", i+1, why))
}

// takesAnswer tells whether a side has answered our offer with one of its keys,
// or in clear where it may.
func (k *security) takesAnswer(s side, d *sdp.Session) error {
	return k.each(d, func(i int, m *sdp.Media) error {
		lines, usable := len(m.Attrs("crypto")), m.Cryptos()
		if k.ring(s, i).answered(k.deviceOf(d, m)) {
			k.late[s] = true
		}
		switch use := k.use(s); {
		case use == policy.SRTPOff && !m.Secure():
			return nil
		case use == policy.SRTPOff:
			return unacceptable(fmt.Sprintf("m-line %d: SRTP answered to RTP", i+1))
		case lines == 0 && k.peer(s, i, m) != nil:
			return nil
		case use == policy.SRTPOptional && lines == 0 && !m.Secure():
			return nil
		case lines == 0 && !m.Secure():
			return unacceptable(fmt.Sprintf("m-line %d: RTP answered to SRTP", i+1))
		case lines != 1 || len(usable) != 1 || usable[0].ClearRTCP || !k.offered(usable[0]):
			return unacceptable(fmt.Sprintf("m-line %d: no a=crypto that was offered in the answer", i+1))
		}
		return nil
	})
}

// offered tells whether a line takes one that we offer.
func (k *security) offered(c sdp.Crypto) bool {
	return c.Tag <= len(k.suites) && k.suites[c.Tag-1] == c.Key.Suite
}

// each asks about all sections of RTP that are in use.
func (k *security) each(d *sdp.Session, ask func(int, *sdp.Media) error) error {
	if k.rule == nil {
		return nil
	}
	for i, m := range d.Media() {
		if m.Port == 0 || !m.IsRTP() {
			continue
		}
		if err := ask(i, m); err != nil {
			return err
		}
	}
	return nil
}

// dress makes the i-th section of the other side's description what side to is
// to see: an answer to what it has offered, or an offer when that is nil. before
// is its own last description, nil if there was none.
func (k *security) dress(to side, i int, m *sdp.Media, answers, before *sdp.Session) {
	if k.rule == nil {
		return
	}
	if offer := sectionOf(answers, i); offer != nil {
		k.dressAnswer(to, i, m, answers)
		return
	}
	use, last := k.use(to), sectionOf(before, i)
	secure := use == policy.SRTPRequired || use == policy.SRTPOptional && last != nil && last.Port != 0 && last.Secure()
	var keys []sdp.Crypto
	var more []string
	if use != policy.SRTPOff && m.Port != 0 {
		own := k.ring(to, i).offer(k.deviceOf(before, last), k.renews[to])
		for n, suite := range k.suites {
			if k.rule.Keying != policy.KeyingDTLS {
				keys = append(keys, sdp.Crypto{Tag: n + 1, Key: own.key(suite)})
			}
		}
		more = k.fingerprint("actpass")
	}
	proto := sdp.SecureProto(m.Proto, secure)
	if m.Kind == "audio" { // feedback is of no use there, and many phones refuse it
		proto = strings.TrimSuffix(proto, "F")
	}
	if secure && k.rule.Keying == policy.KeyingDTLS && m.IsRTP() {
		proto = "UDP/TLS/" + proto
	}
	if m.Secured(proto, keys, more...); len(more) > 0 {
		m.SetMux(true) // there is one handshake, for both
	}
}

// dressAnswer makes a section the answer to what side to has offered.
func (k *security) dressAnswer(to side, i int, m *sdp.Media, answers *sdp.Session) {
	offer := answers.Media()[i]
	use := m.Port != 0 && k.use(to) != policy.SRTPOff
	if c, ok := k.line(offer); ok && use {
		m.Secured(offer.Proto, []sdp.Crypto{{Tag: c.Tag, Key: k.own(to, i, answers).key(c.Key.Suite)}})
	} else if p := k.peer(to, i, offer); p != nil && use {
		m.Secured(offer.Proto, nil, k.fingerprint(map[bool]string{true: "active", false: "passive"}[p.Client])...)
		m.SetMux(true)
	} else {
		m.Secured(offer.Proto, nil)
	}
	if !offer.Mux() && k.identity != nil {
		m.SetMux(false) // the other side said so to us
	}
}

// fingerprint is what we say of ourselves for DTLS; nothing where that is not used.
func (k *security) fingerprint(setup string) []string {
	if k.identity == nil {
		return nil
	}
	return []string{"fingerprint:" + k.identity.Fingerprint, "setup:" + setup}
}

// peer is the other end of a DTLS association by what a side has said; nil when
// its keys are not to come that way. Which of us begins is said by a=setup (RFC
// 5763 §5); one that leaves it to us begins itself, for it may be behind a NAT,
// unless we have begun before.
func (k *security) peer(s side, i int, m *sdp.Media) *dtls.Peer {
	if k.identity == nil {
		return nil
	}
	p := &dtls.Peer{Identity: k.identity, Client: k.active[ownSection{s, i}]}
	for _, f := range m.Told("fingerprint") {
		if dtls.Known(f) {
			p.Fingerprints = append(p.Fingerprints, f)
		}
	}
	for _, setup := range m.Told("setup") {
		switch strings.ToLower(setup) {
		case "active":
			p.Client = false
		case "passive":
			p.Client = true
		}
	}
	for _, id := range m.Told("tls-id") {
		p.ID = id
	}
	if len(p.Fingerprints) == 0 {
		return nil
	}
	return p
}

// keyed tells whether there are keys to be had from what a side has said.
func (k *security) keyed(s side, i int, m *sdp.Media) bool {
	_, ok := k.line(m)
	return ok || k.peer(s, i, m) != nil
}

func sectionOf(d *sdp.Session, i int) *sdp.Media {
	if d == nil || i >= len(d.Media()) {
		return nil
	}
	return d.Media()[i]
}

// protect tells the relay how a leg is protected whose side has said d.
func (k *security) protect(r *forker.Remote, s side, i int, d *sdp.Session) {
	if k.rule == nil {
		return
	}
	m := d.Media()[i]
	c, signalled := k.line(m)
	peer := k.peer(s, i, m)
	use := k.use(s)
	r.Ended = true
	r.Secure = use == policy.SRTPRequired || use == policy.SRTPOptional && (signalled || peer != nil || m.Secure())
	switch {
	case !r.Secure:
	case signalled:
		r.Key, r.More, r.Own = c.Key, c.More, k.own(s, i, d).key(c.Key.Suite)
	case peer != nil:
		k.active[ownSection{s, i}] = peer.Client
		r.DTLS = peer
	}
}

// encrypts tells whether the leg of a side that has said m is encrypted.
func (k *security) encrypts(s side, i int, m *sdp.Media) bool {
	return k.use(s) != policy.SRTPOff && k.keyed(s, i, m)
}
