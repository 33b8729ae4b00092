package sdp

import (
	"net/netip"
	"strconv"
	"strings"
)

// Anchor makes the section's media come to us: it replaces the port, the
// connection address and a=rtcp, and takes away what would lead media past us
// (ICE, alternative addresses) or onto another section's port (BUNDLE: each section
// has its own here).
// Nothing else is changed.
//
// rtp and rtcp are our addresses towards the side that will read the
// description. A disabled section keeps port 0, and a connection address of
// zero stays zero: both mean something. An a=rtcp that named the media port
// goes on naming it; one is added only where rtcp is not on the port after rtp.
// A section that is not UDP, and an invalid rtp, change nothing.
func (m *Media) Anchor(rtp, rtcp netip.AddrPort) {
	if !m.UDP() || !rtp.IsValid() {
		return
	}
	m.session.strip()
	m.lines = without(m.lines, isBypass)
	m.anchorRTCP(rtp, rtcp)
	m.anchorConn(rtp.Addr())
	m.setPort(int(rtp.Port()))
}

// strip removes at session level what would lead media past us, once.
func (s *Session) strip() {
	if s.stripped {
		return
	}
	s.lines = without(s.lines, isBypass)
	s.stripped = true
	s.index()
}

// isBypass reports attributes by which media would go elsewhere than to the
// address of their m= section, or be taken from elsewhere alone.
func isBypass(l line) bool {
	name, value, ok := l.attr()
	return ok && bypasses(strings.ToLower(name), value)
}

func bypasses(name, value string) bool {
	switch name {
	case "candidate", "remote-candidates", "end-of-candidates",
		"ice-lite", "ice-mismatch", "ice-options", "ice-pacing", "ice-pwd", "ice-ufrag", // RFC 8839 §5, RFC 8840 §4
		"bundle-only",                      // RFC 9143 §6
		"altc",                             // another address family (RFC 6947)
		"ccap",                             // connection data as a capability (RFC 7006 §3.3.1)
		"alt",                              // candidates before ICE
		"visited-realm", "secondary-realm", // optimal media routing (3GPP TS 29.079)
		"source-filter": // RFC 4570
		return true
	case "group": // RFC 9143 §5
		semantics, _, _ := strings.Cut(value, " ")
		return strings.EqualFold(semantics, "BUNDLE")
	case "acap": // an attribute as a capability (RFC 5939 §3.4.2): number, name, value
		_, inner, _ := strings.Cut(value, " ")
		name, value, _ := strings.Cut(strings.TrimSpace(inner), ":")
		name = strings.ToLower(name)
		return name != "acap" && bypasses(name, value)
	}
	return strings.HasPrefix(name, "omr-") // 3GPP TS 29.079
}

// without removes the lines for which drop holds, in place.
func without(lines []line, drop func(line) bool) []line {
	kept := lines[:0]
	for _, l := range lines {
		if !drop(l) {
			kept = append(kept, l)
		}
	}
	return kept
}

// anchorRTCP must run before the port of the section changes.
func (m *Media) anchorRTCP(rtp, rtcp netip.AddrPort) {
	if !rtcp.IsValid() || !m.IsRTP() {
		return
	}
	found := false
	for i, l := range m.lines {
		name, value, ok := l.attr()
		if !ok || !strings.EqualFold(name, "rtcp") {
			continue
		}
		found = true
		m.lines[i].text = "a=rtcp:" + m.rtcpText(value, rtp, rtcp)
	}
	if !found && m.Port != 0 && rtcp.Port() != rtp.Port() && rtcp.Port() != rtp.Port()+1 {
		m.insert(len(m.lines), "a=rtcp:"+strconv.Itoa(int(rtcp.Port())))
	}
}

// rtcpText is the new value of an a=rtcp that had this value.
func (m *Media) rtcpText(value string, rtp, rtcp netip.AddrPort) string {
	f := fields(value)
	port := rtcp.Port()
	if len(f) > 0 && f[0] == strconv.Itoa(m.Port) {
		port = rtp.Port() // shared port, rtcp-mux
	}
	text := strconv.Itoa(int(port))
	if len(f) > 1 {
		text = addrText(text+" IN ", rtcp.Addr())
	}
	return text
}

// anchorConn makes addr the section's connection address. The session's c= is
// rewritten where it is the one that counts, once.
func (m *Media) anchorConn(addr netip.Addr) {
	own := false
	for i, l := range m.lines {
		if l.typ() == 'c' {
			own = true
			m.lines[i].text = connLine(l.text, addr)
		}
	}
	if own {
		return
	}
	i := m.session.connAt
	if i < 0 {
		m.insertConn(addrText("c=IN ", addr))
		return
	}
	want := connLine(m.session.lines[i].text, addr)
	switch {
	case m.session.lines[i].text == want:
	case m.session.anchored:
		m.insertConn(want) // the session's c= is already ours, for another address
	default:
		m.session.anchorConn(i, want)
	}
}

// anchorConn replaces the session's connection line. Sections that will not be
// anchored and lean on it get a copy of what it was; a refused one (port 0) has
// no use for an address.
func (s *Session) anchorConn(i int, want string) {
	old := s.lines[i].text
	for _, m := range s.media {
		if !m.UDP() && m.Port != 0 && find(m.lines, 'c') < 0 {
			m.insertConn(old)
		}
	}
	s.lines[i].text = want
	s.anchored = true
	s.index()
}

// connLine is the connection line old with its address replaced. Zero stays
// zero, in the family of addr.
func connLine(old string, addr netip.Addr) string {
	s := line{text: old}
	host := connText([]line{s})
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		if a.Unmap().Is4() == addr.Unmap().Is4() {
			return old
		}
		if addr.Unmap().Is4() {
			return addrText("c=IN ", netip.IPv4Unspecified())
		}
		return addrText("c=IN ", netip.IPv6Unspecified())
	}
	want := addrText("c=IN ", addr)
	if s.value() == want[2:] {
		return old // trailing blanks are not ours to remove
	}
	return want
}

// insertConn puts a connection line behind m= and i= (RFC 8866 §5).
func (m *Media) insertConn(text string) {
	at := 1
	if at < len(m.lines) && m.lines[at].typ() == 'i' {
		at++
	}
	m.insert(at, text)
}

// insert puts a line before m.lines[at], at > 0, with the line ending of its
// neighbour. A description without a final line ending keeps to that.
func (m *Media) insert(at int, text string) {
	prev := &m.lines[at-1]
	l := line{text: text, eol: prev.eol}
	if prev.eol == noEnding {
		prev.eol = m.session.eol()
	}
	m.lines = append(m.lines, line{})
	copy(m.lines[at+1:], m.lines[at:])
	m.lines[at] = l
}

// eol is the line ending of the description.
func (s *Session) eol() ending {
	if len(s.lines) > 0 && s.lines[0].eol != noEnding {
		return s.lines[0].eol
	}
	if len(s.media) > 0 && s.media[0].lines[0].eol != noEnding {
		return s.media[0].lines[0].eol
	}
	return endingCRLF
}

// setPort replaces the port of the m= line, and a count of ports with it: we
// relay one pair. A disabled section stays disabled.
func (m *Media) setPort(port int) {
	if m.Port == 0 {
		return
	}
	// The port is the second field; its place is found so that all other
	// bytes stay.
	text := m.lines[0].text
	start := skip(text, 2, true)
	start = skip(text, skip(text, start, false), true)
	end := skip(text, start, false)
	m.lines[0].text = text[:start] + strconv.Itoa(port) + text[end:]
	m.Port = port
}

// skip returns the first index from i on where blanks end, or begin.
func skip(s string, i int, blanks bool) int {
	for i < len(s) && isBlank(rune(s[i])) == blanks {
		i++
	}
	return i
}

// SetUnusedConn rewrites the address of a session's c= line that no section
// uses, each having its own: nothing follows it, but it can be read.
func (s *Session) SetUnusedConn(addr netip.Addr) {
	if s.connAt < 0 || s.anchored {
		return
	}
	for _, m := range s.media {
		if find(m.lines, 'c') < 0 {
			return
		}
	}
	s.lines[s.connAt].text = connLine(s.lines[s.connAt].text, addr)
}
