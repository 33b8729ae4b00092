package src

import (
	"cmp"
	"net/http"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// What we take and understand, as our requests and responses say it.
const (
	allow      = "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, INFO, MESSAGE"
	accept     = sdpType + ", " + metadata.ContentType + ", " + metadata.LegacyContentType // RFC 7866 §9.1, RFC 9806 §2
	supported  = "timer"
	featureTag = ";+sip.src"
)

// invite writes the INVITE of an attempt (RFC 7866 §6.1.1): From names us, To
// the SRS, and only an SRS can take it.
func (a *attempt) invite(to txn.Target) (*sip.Message, error) {
	s, r := a.s, a.s.recorder
	req := sip.NewRequest("INVITE", a.uri)
	req.Add("Max-Forwards", "70")
	from, target := r.parties(r.uris[a.target])
	req.Add("From", "<"+from+">;tag="+a.tag)
	req.Add("To", "<"+target+">")
	req.Add("Call-ID", a.callID)
	req.Add("CSeq", sip.CSeq{Num: a.cseq, Method: "INVITE"}.String())
	req.Add("Contact", s.client.contact(r, to))
	s.dress(req)
	a.session.propose(r, req)
	return req, r.Dialect.fill(req, a.offer.body, a.doc)
}

// dress adds what every INVITE and re-INVITE carries besides the dialog.
func (s *Session) dress(req *sip.Message) {
	req.Add("Date", s.now().UTC().Format(http.TimeFormat))
	s.recorder.Dialect.require(req)
	req.Add("Supported", supported)
	req.Add("Allow", allow)
	req.Add("Accept", accept)
	s.sign(req)
	for _, h := range s.headers {
		req.Add(h.Name, h.Value)
	}
}

func (s *Session) sign(m *sip.Message) {
	if agent := s.client.cfg.UserAgent; agent != "" {
		m.Add("User-Agent", agent)
	}
}

// contact is our Contact on the way to that target.
func (c *Client) contact(r *Recorder, to txn.Target) string {
	uri := "sip:" + cmp.Or(c.host(), "sidetrack.invalid")
	if l := c.cfg.Layer.Leaving(to); l != nil {
		uri = l.ContactURI("")
	}
	return r.Dialect.contact(uri)
}

// leaving makes a target leave from the recorder's socket, where that speaks the
// target's protocol, and with the recorder's own keys.
func (r *Recorder) leaving(t *transport.Layer, to txn.Target) txn.Target {
	to.TLS = r.TLS
	if r.Socket == "" || t == nil {
		return to
	}
	for _, l := range t.Listeners() {
		if l.URL == r.Socket && l.Proto == to.Proto {
			to.Listener = l
		}
	}
	return to
}

// host is our name in Call-IDs, and in a Contact when no listener fits; "" when
// we were given none.
func (c *Client) host() string {
	if !c.cfg.Advertise.IsValid() {
		return ""
	}
	return sip.FormatHostPort(c.cfg.Advertise.String(), 0)
}

// renderHeaders makes the recorder's headers out of the call's INVITE, once.
func (s *Session) renderHeaders() []sip.Header {
	var out []sip.Header
	var invite *policy.Invite
	if len(s.recorder.Headers) > 0 {
		invite = s.call.answered()
	}
	for _, h := range s.recorder.Headers {
		value, err := h.Value.ExecuteHeader(invite)
		if err != nil {
			s.log.Warn("header left out", "header", h.Name, "error", err)
			continue
		}
		out = append(out, sip.Header{Name: h.Name, Value: value})
	}
	added, left := s.added.headers(s.recorder.Parameters)
	if len(left) > 0 {
		s.log.Warn("headers left out", "headers", left)
	}
	return append(out, added...)
}
