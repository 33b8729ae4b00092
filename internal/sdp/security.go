package sdp

import (
	"strings"
)

// SecureProto is proto with or without protection: RTP/AVP and RTP/SAVP, or with
// feedback RTP/AVPF and RTP/SAVPF (RFC 3711 §12, RFC 5124), also for one that has
// the keys exchanged by DTLS (RFC 5764 §8). What is no RTP profile stays.
func SecureProto(proto string, secure bool) string {
	p := strings.ToUpper(proto)
	_, profile, ok := strings.Cut(p, "RTP/")
	if !ok {
		return proto
	}
	profile = strings.TrimPrefix(profile, "S")
	if profile != "AVP" && profile != "AVPF" {
		return proto
	}
	if secure {
		profile = "S" + profile
	}
	return "RTP/" + profile
}

// DTLS reports whether the section's keys are exchanged by DTLS (RFC 5764).
func (m *Media) DTLS() bool { return strings.Contains(strings.ToUpper(m.Proto), "TLS") }

// Told returns the values of all attributes of this name that hold for the
// section: its own, else those of the session, for attributes that may stand there.
func (m *Media) Told(name string) []string {
	if own := m.Attrs(name); len(own) > 0 {
		return own
	}
	return m.session.Attrs(name)
}

// SetMux has the section say a=rtcp-mux (RFC 5761), or not.
func (m *Media) SetMux(mux bool) {
	switch {
	case mux == m.Mux() || !m.IsRTP():
	case mux:
		m.insert(len(m.lines), "a=rtcp-mux")
	default:
		m.lines = without(m.lines, func(l line) bool {
			name, _, ok := l.attr()
			return ok && (strings.EqualFold(name, "rtcp-mux") || strings.EqualFold(name, "rtcp-mux-only"))
		})
	}
}

// Secured replaces how the section's media are protected: its protocol, and all
// attributes of keying by the given a=crypto and further attributes, without
// "a=". Attributes at session level go as well: each section says for itself what
// holds. Sections that are not RTP stay.
func (m *Media) Secured(proto string, cryptos []Crypto, more ...string) {
	if !m.IsRTP() {
		return
	}
	m.session.unkey()
	m.lines = without(m.lines, isKeying)
	m.setProto(proto)
	for _, c := range cryptos {
		m.insert(len(m.lines), "a="+c.Attribute())
	}
	for _, a := range more {
		m.insert(len(m.lines), "a="+a)
	}
}

// unkey removes the attributes of keying at session level, once.
func (s *Session) unkey() {
	if s.unkeyed {
		return
	}
	s.lines = without(s.lines, isKeying)
	s.unkeyed = true
	s.index()
}

// isKeying reports attributes by which the ends agree on keys: RFC 4568, 4567,
// 5763, 8122, 8842 and 6189.
func isKeying(l line) bool {
	name, _, ok := l.attr()
	if !ok {
		return false
	}
	switch strings.ToLower(name) {
	case "crypto", "key-mgmt", "fingerprint", "setup", "tls-id", "zrtp-hash":
		return true
	}
	return false
}

// setProto replaces the third field of the m= line; all other bytes stay.
func (m *Media) setProto(proto string) {
	if m.Proto == proto {
		return
	}
	text := m.lines[0].text
	start := skip(text, 2, true)
	for range 2 {
		start = skip(text, skip(text, start, false), true)
	}
	end := skip(text, start, false)
	m.lines[0].text = text[:start] + proto + text[end:]
	m.Proto = proto
}
