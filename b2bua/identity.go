package b2bua

import (
	"mime"
	"slices"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/metadata"
)

// IdentitySource says whose word about who is calling is taken.
type IdentitySource string

// The sources of identities.
const (
	// AssertedTrusted believes P-Asserted-Identity and its like from the far
	// side of a route, and from callers that Config.Door knows by address or certificate.
	AssertedTrusted IdentitySource = "trusted"
	AssertedAlways  IdentitySource = "always" // of everybody
	AssertedNever   IdentitySource = "never"  // of nobody: From and To alone
)

// who is who the parties of a call are, by what their messages say: From and To
// at first, then P-Asserted-Identity (RFC 3325), Remote-Party-ID, or another
// From in mid-dialog (RFC 4916).
type who struct {
	party    [2]metadata.Party
	called   metadata.Party // who the INVITE was for: the callee until it says better
	spoken   [2]string      // URI of each side's own From, as last seen
	session  [2]string      // each side's half of the Session-ID (RFC 7989)
	diverted []metadata.Party
	answer   []metadata.Header // the 2xx's
}

// believes tells whether side s may say who it is.
func (c *Call) believes(s side) bool {
	switch c.set.Asserted {
	case AssertedAlways:
		return true
	case AssertedNever:
		return false
	}
	return c.known[s]
}

// introduce takes the parties from the INVITE. Who is called is in the
// Request-URI where the call comes redirected from somebody in To.
func (c *Call) introduce() {
	w, m := &c.who, c.invite
	w.party[sideA] = metadata.Party{AOR: c.in.From.URI, Name: plainName(c.in.From.Display)}
	w.party[sideB] = metadata.Party{AOR: c.in.To.URI, Name: plainName(c.in.To.Display)}
	w.spoken = [2]string{c.in.From.URI, c.in.To.URI}
	w.session[sideA] = sessionHalf(m)
	w.called = w.party[sideB]
	c.aware.sees(sideA, m)
	if d := c.initial.offer; d != nil {
		c.aware.pref[sideA] = d.RecordPref()
	}
	if !c.believes(sideA) {
		return
	}
	if p, ok := assertedIn(m, "calling"); ok {
		w.party[sideA] = p
	}
	w.diverted = divertedIn(m)
	for _, p := range w.diverted {
		if sameURI(p.AOR, c.in.To.URI) && !sameURI(p.AOR, m.RequestURI) {
			w.party[sideB] = metadata.Party{AOR: m.RequestURI}
			w.called = w.party[sideB]
			break
		}
	}
}

// learn takes what a message of side s says about who that is.
func (c *Call) learn(s side, m *sip.Message) {
	w := &c.who
	if half := sessionHalf(m); half != "" && half != w.session[s] {
		w.session[s] = half
		c.media.changed = true
	}
	if p, ok := c.presents(s, m); ok && !sameParty(p, w.party[s]) {
		w.party[s] = p
		c.media.changed = true
	}
}

// learnCallee takes what a response to the first INVITE says of the callee, in
// branch b: of several that ring, the one that answers is the callee.
func (c *Call) learnCallee(resp *sip.Message, b *branch) {
	if resp.Status >= 200 {
		c.aware.sees(sideB, resp)
	}
	if p, ok := c.presents(sideB, resp); ok {
		b.party = p
	}
	if half := sessionHalf(resp); half != "" {
		b.session = half
	}
	p := b.party
	if p.AOR == "" {
		p = c.who.called
	}
	if !sameParty(p, c.who.party[sideB]) || b.session != c.who.session[sideB] {
		c.who.party[sideB], c.who.session[sideB] = p, b.session
		c.media.changed = true
	}
}

// keep keeps the headers of the answer, for what a recorder is told of them.
func (w *who) keep(resp *sip.Message) {
	w.answer = make([]metadata.Header, len(resp.Headers))
	for i, h := range resp.Headers {
		w.answer[i] = metadata.Header{Name: h.Name, Value: h.Value}
	}
}

// presents is who side s says that it is in m.
func (c *Call) presents(s side, m *sip.Message) (metadata.Party, bool) {
	role := "calling"
	if m.IsResponse() {
		role = "called"
	}
	if c.believes(s) {
		if p, ok := assertedIn(m, role); ok {
			return p, true
		}
	}
	if from := m.From(); m.IsRequest() && m.ToTag() != "" && !sameURI(from.URI, c.who.spoken[s]) {
		c.who.spoken[s] = from.URI
		return metadata.Party{AOR: from.URI, Name: plainName(from.Display)}, true
	}
	return metadata.Party{}, false
}

// sessionID is the RFC 7989 Session-ID of the call: "local;remote=…", "" when
// its caller uses none.
func (w *who) sessionID() string {
	if w.session[sideA] == "" {
		return ""
	}
	remote := w.session[sideB]
	if remote == "" {
		remote = nilSession
	}
	return w.session[sideA] + ";remote=" + remote
}

var nilSession = strings.Repeat("0", 32)

// sessionHalf is the sender's own UUID in the Session-ID of a message.
func sessionHalf(m *sip.Message) string { return halfOf(m.Get("Session-ID")) }

func halfOf(value string) string {
	half, _, _ := strings.Cut(value, ";")
	if half = strings.ToLower(strings.TrimSpace(half)); half == nilSession {
		return ""
	}
	return half
}

// assertedIn is the identity that a message asserts: P-Asserted-Identity with
// all its addresses, else Remote-Party-ID of that party.
func assertedIn(m *sip.Message, role string) (metadata.Party, bool) {
	var p metadata.Party
	for _, v := range m.List("P-Asserted-Identity") {
		p = withName(p, v)
	}
	if p.AOR != "" {
		return p, true
	}
	for _, v := range m.List("Remote-Party-ID") {
		n, err := sip.ParseNameAddr(v)
		if party, told := n.Params.Get("party"); err == nil && (!told || strings.EqualFold(party, role)) {
			return withName(p, v), true
		}
	}
	return p, false
}

// withName adds an address to a party: the first one names it.
func withName(p metadata.Party, value string) metadata.Party {
	n, err := sip.ParseNameAddr(value)
	switch {
	case err != nil || n.URI == "" || len(p.Others) >= maxAddresses:
	case p.AOR == "":
		p.AOR, p.Name = n.URI, plainName(n.Display)
	default:
		p.Others = append(p.Others, metadata.NameID{AOR: n.URI, Name: plainName(n.Display)})
	}
	return p
}

// maxAddresses bounds how many addresses and diversions of one message count.
const maxAddresses = 8

// divertedIn is for whom a call was before, the latest first: Diversion (RFC
// 5806), else the entries of History-Info (RFC 7044) before the last.
func divertedIn(m *sip.Message) []metadata.Party {
	var out []metadata.Party
	for _, v := range m.List("Diversion") {
		out = append(out, withName(metadata.Party{}, v))
	}
	if history := m.List("History-Info"); len(out) == 0 && len(history) > 1 {
		for i := len(history) - 2; i >= 0; i-- {
			p := withName(metadata.Party{}, history[i])
			p.AOR, _, _ = strings.Cut(p.AOR, "?")
			out = append(out, p)
		}
	}
	out = slices.DeleteFunc(out, func(p metadata.Party) bool { return p.AOR == "" })
	return out[:min(len(out), maxAddresses)]
}

// sameURI compares what names a party: scheme, user and host.
func sameURI(a, b string) bool {
	x, errX := sip.ParseURI(a)
	y, errY := sip.ParseURI(b)
	if errX != nil || errY != nil {
		return a == b
	}
	return x.User == y.User && strings.EqualFold(x.Host, y.Host) && x.Opaque == y.Opaque
}

func sameParty(a, b metadata.Party) bool {
	return a.AOR == b.AOR && a.Name == b.Name && slices.Equal(a.Others, b.Others)
}

// plainName decodes a display name that was written as in mail (RFC 2047), as
// some PBXs do.
func plainName(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	if plain, err := new(mime.WordDecoder).DecodeHeader(s); err == nil {
		return plain
	}
	return s
}
