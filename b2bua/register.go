package b2bua

import (
	"strconv"
	"strings"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// RegisterMode says how a registrar is made to send calls to a phone back
// through us.
type RegisterMode string

// The modes of registration.
const (
	// RegisterContact puts our URI with a token in the place of the phone's
	// Contact. Every registrar can do with it.
	RegisterContact RegisterMode = "contact"
	// RegisterPath leaves the Contact alone and adds a Path (RFC 3327), which
	// the registrar must support.
	RegisterPath RegisterMode = "path"
)

const (
	// maxContacts bounds the Contacts of one REGISTER.
	maxContacts = 16
	// defaultExpires is taken where neither side names a time (RFC 3261
	// §10.2.1.1 leaves it to the registrar; this is what most use).
	defaultExpires = 3600
)

// registration is a REGISTER on its way through us, and what it asks for.
type registration struct {
	srv   *Server
	mode  RegisterMode
	aor   string
	flow  transport.Flow
	asked []askedContact
	route string // path mode: the token in our Path
	clear bool   // "*": remove all
}

// askedContact is one Contact of a REGISTER.
type askedContact struct {
	value string // as the phone wrote it
	uri   string
	token string // "": not a SIP URI, passes as it is
	gone  bool   // expires=0
}

// onRegister passes a REGISTER so that the calls it asks for come to us.
func (s *Server) onRegister(tx *txn.ServerTx) {
	contacts := tx.Request.List("Contact")
	if len(contacts) > maxContacts {
		s.reject(tx, 400, "Too Many Contacts", "contacts")
		return
	}
	r := s.registrationOf(tx, contacts)
	for _, c := range r.asked {
		if c.token != "" && !c.gone && !s.bindings.room(c.token, tx.Lane.Now()) {
			s.cfg.OnReject("registrations")
			s.overload(tx)
			return
		}
	}
	p := s.passage(tx)
	p.registration = r
	s.relayAlong(p)
}

// registrationOf reads a REGISTER. A phone that is registered keeps the mode in which
// it is: in another one the registrar would take it for a second phone.
func (s *Server) registrationOf(tx *txn.ServerTx, contacts []string) *registration {
	now := tx.Lane.Now()
	var first *registration
	for _, mode := range []RegisterMode{s.settings.Load().Register, RegisterContact, RegisterPath} {
		r := &registration{srv: s, mode: mode, aor: canonicalAOR(tx.Request.To()), flow: tx.Flow}
		for _, value := range contacts {
			r.ask(value, tx.Request.Get("Expires"))
		}
		if r.known(now) {
			return r
		}
		if first == nil {
			first = r
		}
	}
	return first
}

// known tells whether the phone is registered in this mode: by a Contact that it
// asks for, or by where it sends from when it asks for none.
func (r *registration) known(now time.Time) bool {
	any := false
	for _, c := range r.asked {
		if _, ok := r.srv.bindings.find(c.token, now); ok {
			return true
		}
		any = any || c.token != ""
	}
	b, ok := r.srv.bindings.find(r.srv.bindings.of(r.flow), now)
	return !any && ok && b.mode == r.mode
}

func (r *registration) ask(value, expires string) {
	if strings.TrimSpace(value) == "*" {
		r.clear = true
		r.asked = append(r.asked, askedContact{value: value})
		return
	}
	c := askedContact{value: value}
	if n, err := sip.ParseNameAddr(value); err == nil {
		if u, err := sip.ParseURI(n.URI); err == nil && (u.Scheme == "sip" || u.Scheme == "sips") {
			regID, _ := n.Params.Get("reg-id")
			instance, _ := n.Params.Get("+sip.instance")
			named := n.URI
			if instance != "" && regID != "" {
				named = "" // the flow is what is registered, wherever the phone has moved to (RFC 5626 §6)
			}
			c.uri, c.token = n.URI, r.srv.bindings.token(string(r.mode), r.aor, named, instance, regID)
			c.gone = seconds(n.Params, expires) == 0
		}
	}
	if r.mode == RegisterPath && r.route == "" {
		r.route = c.token
	}
	r.asked = append(r.asked, c)
}

// seconds is how long a Contact is to be bound: its own parameter, else the
// Expires header (RFC 3261 §10.2.1.1).
func seconds(params sip.Params, expires string) int {
	if own, ok := params.Get("expires"); ok {
		expires = own
	}
	n, err := strconv.ParseUint(strings.TrimSpace(expires), 10, 31)
	if err != nil {
		return defaultExpires
	}
	return int(n)
}

// outgoing fits the REGISTER for the registrar that is reached by listener l.
func (r *registration) outgoing(out *sip.Message, l *transport.Listener) {
	if r.mode == RegisterPath {
		r.addPath(out, l)
		return
	}
	values := make([]string, len(r.asked))
	for i, c := range r.asked {
		values[i] = c.value
		if c.token != "" {
			values[i] = sip.WithURI(c.value, l.ContactURI(c.token))
		}
	}
	setContacts(out, values)
}

func (r *registration) addPath(out *sip.Message, l *transport.Listener) {
	if r.route == "" {
		return // a query, or "*": nothing to be reached
	}
	out.Prepend("Path", "<"+l.ContactURI(r.route)+";lr>")
	if !out.HasToken("Supported", "path") {
		out.Add("Supported", "path") // RFC 3327 §5.2: else the registrar answers 420
	}
}

// setContacts puts values in the place of a message's Contacts, one field each.
func setContacts(m *sip.Message, values []string) {
	var out []sip.Header
	placed := false
	for _, h := range m.Headers {
		if !h.Is("Contact") {
			out = append(out, h)
			continue
		}
		if placed {
			continue
		}
		placed = true
		for _, v := range values {
			out = append(out, sip.Header{Name: h.Name, Value: v})
		}
	}
	m.Headers = out
}

// answered learns from a 2xx what is bound now, and returns the response for
// the phone: its own Contacts in it, not ours (RFC 3261 §10.3 step 8).
func (r *registration) answered(resp *sip.Message, now time.Time) *sip.Message {
	out := resp.Clone()
	granted := map[string]int{} // by token
	values := out.List("Contact")
	for i, value := range values {
		n, err := sip.ParseNameAddr(value)
		if err != nil {
			continue
		}
		token, own := r.own(n.URI, now)
		if token == "" {
			continue
		}
		granted[token] = seconds(n.Params, resp.Get("Expires"))
		values[i] = sip.WithURI(value, own)
	}
	if r.mode == RegisterContact && len(values) > 0 {
		setContacts(out, values)
	}
	r.learn(granted, resp.Get("Expires"), now)
	return out
}

// own returns the token of a Contact URI of the registrar's, and what the phone
// calls it; "" for one that did not come through us.
func (r *registration) own(uri string, now time.Time) (token, contact string) {
	if r.mode == RegisterPath {
		for _, c := range r.asked {
			if c.uri == uri {
				return c.token, c.uri
			}
		}
		return "", ""
	}
	u, err := sip.ParseURI(uri)
	if err != nil || !isBindingToken(u.User) {
		return "", ""
	}
	for _, c := range r.asked {
		if c.token == u.User {
			return c.token, c.uri
		}
	}
	if b, ok := r.srv.bindings.find(u.User, now); ok {
		return b.token, b.contact
	}
	return "", ""
}

// learn puts what was granted into the table.
func (r *registration) learn(granted map[string]int, expires string, now time.Time) {
	table := r.srv.bindings
	for _, c := range r.asked {
		if c.token == "" || r.mode == RegisterPath && c.token != r.route {
			continue
		}
		n, told := granted[c.token]
		if !told { // some registrars do not list what they bind
			n = seconds(nil, expires)
		}
		if c.gone || n == 0 {
			table.drop(c.token)
			continue
		}
		table.put(binding{token: c.token, mode: r.mode, contact: c.uri, flow: r.flow, at: now, expires: now.Add(time.Duration(n)*time.Second + bindingGrace)})
	}
	if r.clear {
		table.drop(table.of(r.flow))
	}
}
