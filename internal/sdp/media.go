package sdp

import (
	"net/netip"
	"strconv"
	"strings"
)

// Media is one m= section of a Session. The exported fields are what was read
// from its m= line; changing them does not change the description.
type Media struct {
	Kind    string // "audio", "video", "image", …; lower case
	Port    int    // 0: disabled; also 0 when it cannot be read
	Proto   string // as written, e.g. "RTP/AVP", "udptl"
	Formats []string

	session *Session
	lines   []line // lines[0] is the m= line
}

// newMedia reads an m= line. Its section gets its lines later.
func newMedia(l line) (m Media) {
	kind, rest := cutField(l.value())
	ports, rest := cutField(rest)
	m.Proto, rest = cutField(rest)
	m.Kind, m.Formats = strings.ToLower(kind), fields(rest)
	port, _, _ := strings.Cut(ports, "/")
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		m.Port = int(n)
	}
	return m
}

// Attr returns the value of the section's first attribute of this name; a
// flag such as a=rtcp-mux has the value "". Session-level attributes are not
// looked at.
func (m *Media) Attr(name string) (string, bool) { return attr(m.lines, name) }

// Attrs returns the values of all the section's attributes of this name.
func (m *Media) Attrs(name string) []string { return attrs(m.lines, name) }

// Label is the section's a=label (RFC 4574), "" if it has none.
func (m *Media) Label() string {
	v, _ := m.Attr("label")
	return v
}

// IsRTP reports whether the section carries RTP, over whatever transport.
func (m *Media) IsRTP() bool {
	p := strings.ToUpper(m.Proto)
	return strings.HasPrefix(p, "RTP/") || strings.Contains(p, "/RTP/")
}

// UDP reports whether the section's media are datagrams that can be relayed:
// RTP, UDPTL (T.38), anything over UDP or DTLS. Unknown protocols are not.
func (m *Media) UDP() bool {
	p := strings.ToUpper(m.Proto)
	switch {
	case strings.HasPrefix(p, "RTP/"), strings.HasPrefix(p, "UDP/"), strings.HasPrefix(p, "DTLS/"):
		return true
	}
	return p == "UDP" || p == "UDPTL"
}

// Secure reports whether the payload is encrypted: SRTP profiles and DTLS.
func (m *Media) Secure() bool {
	p := strings.ToUpper(m.Proto)
	return strings.Contains(p, "SAVP") || strings.Contains(p, "TLS")
}

// Mux reports whether RTP and RTCP are to share a port (RFC 5761). It holds
// only when both sides say so.
func (m *Media) Mux() bool {
	_, ok := m.Attr("rtcp-mux")
	return ok
}

// conn returns the address text of the section's connection line, its own or
// the session's.
func (m *Media) conn() string {
	if find(m.lines, 'c') >= 0 {
		return connText(m.lines)
	}
	return m.session.conn
}

// connText returns the address of the first c= line without a multicast TTL,
// "" if there is none that can be read.
func connText(lines []line) string {
	i := find(lines, 'c')
	if i < 0 {
		return ""
	}
	_, rest := cutField(lines[i].value())
	_, rest = cutField(rest)
	addr, _ := cutField(rest)
	addr, _, _ = strings.Cut(addr, "/")
	return addr
}

// connAddr is conn as an address; invalid for host names and nonsense.
func (m *Media) connAddr() netip.Addr {
	a, err := netip.ParseAddr(m.conn())
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

// ConnIsZero reports the old way of hold: c=0.0.0.0 or ::.
func (m *Media) ConnIsZero() bool {
	a := m.connAddr()
	return a.IsValid() && a.IsUnspecified()
}

// LinkLocal tells whether the section's media are wanted at an IPv6 address that
// means something on one link only. SDP has no place for the zone that says which
// (RFC 4007 §6, RFC 8866 §9).
func (m *Media) LinkLocal() bool {
	a := m.connAddr()
	return m.Port != 0 && a.Is6() && a.IsLinkLocalUnicast()
}

// Addr is where the section's media are to be sent. It is false for port 0 and
// where the connection address is a host name or absent. The address may be
// unspecified: see ConnIsZero.
func (m *Media) Addr() (netip.AddrPort, bool) {
	a := m.connAddr()
	if m.Port == 0 || !a.IsValid() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a, uint16(m.Port)), true
}

// RTCP is where the section's RTCP is to be sent: the media address itself
// with a=rtcp-mux, else a=rtcp (RFC 3605), else the next port. It is false
// where Addr is, or where there is no next port.
func (m *Media) RTCP() (netip.AddrPort, bool) {
	rtp, ok := m.Addr()
	if !ok || m.Mux() {
		return rtp, ok
	}
	return m.separateRTCP(rtp)
}

// OwnRTCP is where RTCP is to be sent when the other side has not agreed to share a
// port (RFC 5761 §5.1.1), whatever the section itself says. It is false as Addr is.
func (m *Media) OwnRTCP() (netip.AddrPort, bool) {
	rtp, ok := m.Addr()
	if !ok {
		return rtp, false
	}
	return m.separateRTCP(rtp)
}

// separateRTCP is RTCP without regard to a=rtcp-mux.
func (m *Media) separateRTCP(rtp netip.AddrPort) (netip.AddrPort, bool) {
	if v, ok := m.Attr("rtcp"); ok {
		if ap, ok := parseRTCP(v, rtp.Addr()); ok {
			return ap, true
		}
	}
	if rtp.Port() == 65535 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(rtp.Addr(), rtp.Port()+1), true
}

// parseRTCP reads "port [IN IP4 addr]".
func parseRTCP(v string, addr netip.Addr) (netip.AddrPort, bool) {
	f := fields(v)
	if len(f) == 0 {
		return netip.AddrPort{}, false
	}
	port, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, false
	}
	if len(f) >= 4 {
		if a, err := netip.ParseAddr(f[3]); err == nil {
			addr = a.Unmap()
		}
	}
	return netip.AddrPortFrom(addr, uint16(port)), true
}
