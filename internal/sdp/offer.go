package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Offer is a description that we originate: an offer, or our answer to one.
type Offer struct {
	Username  string // of the o= line; "" is written as "-"
	SessionID uint64 // cut to 63 bits (RFC 3264 §5)
	Version   uint64 // the same; raised by one at each changed description
	Addr      netip.Addr
	Media     []OfferMedia
}

// OfferMedia is one m= section of an Offer.
type OfferMedia struct {
	Kind, Proto string // "" is written as audio and RTP/AVP
	Port        int    // 0: disabled
	RTCPPort    int    // written as a=rtcp when it is neither 0 nor Port+1
	Formats     []Format
	RawFormats  []string // m= formats of a section that is not RTP, used without Formats
	Direction   Direction
	Label       string
	Ptime       string
	Extra       []string // further attributes, without "a="
	Extensions  []Extension
	Cryptos     []Crypto // SDES: what we send is protected by one of these, which the answer chooses
}

// Refuse is the section that answers m with port 0 (RFC 3264 §6): same kind,
// protocol and formats.
func (m *Media) Refuse() OfferMedia {
	return OfferMedia{Kind: m.Kind, Proto: m.Proto, RawFormats: m.Formats, Direction: Inactive}
}

// Bytes writes the description with CRLF, lines in the order v o s c t m, for
// there are readers that know no other (RFC 8866 §5).
func (o Offer) Bytes() []byte {
	w := &writer{b: make([]byte, 0, 512)}
	addr := "IN " + addrText(o.Addr)
	if !o.Addr.IsValid() {
		addr = "IN " + addrText(netip.IPv4Unspecified())
	}
	user := strings.Join(strings.Fields(o.Username), "_")
	if user == "" {
		user = "-"
	}
	const mask = 1<<63 - 1
	w.line("v=0")
	w.line("o=%s %d %d %s", user, o.SessionID&mask, o.Version&mask, addr)
	w.line("s=-")
	w.line("c=%s", addr)
	w.line("t=0 0")
	for _, m := range o.Media {
		m.write(w)
	}
	return w.b
}

// writer collects lines. A value cannot break out of its line: CR, LF and NUL
// are taken out.
type writer struct{ b []byte }

func (w *writer) line(format string, args ...any) {
	from := len(w.b)
	w.b = fmt.Appendf(w.b, format, args...)
	kept := slices.DeleteFunc(w.b[from:], func(c byte) bool { return c == '\r' || c == '\n' || c == 0 })
	w.b = append(w.b[:from+len(kept)], '\r', '\n')
}

func (m OfferMedia) write(w *writer) {
	kind, proto := m.Kind, m.Proto
	if kind == "" {
		kind = "audio"
	}
	if proto == "" {
		proto = "RTP/AVP"
	}
	w.line("m=%s %d %s %s", kind, m.Port, proto, m.formatList())
	for _, f := range m.Formats {
		f.write(w)
	}
	if m.Ptime != "" {
		w.line("a=ptime:%s", m.Ptime)
	}
	if m.Direction != "" {
		w.line("a=%s", m.Direction)
	}
	if m.RTCPPort != 0 && m.Port != 0 && m.RTCPPort != m.Port+1 {
		w.line("a=rtcp:%d", m.RTCPPort)
	}
	if m.Label != "" {
		w.line("a=label:%s", m.Label)
	}
	for _, c := range m.Cryptos {
		w.line("a=%s", c.Attribute())
	}
	for _, e := range m.Extensions {
		w.line("a=%s", e.attribute())
	}
	for _, e := range m.Extra {
		w.line("a=%s", e)
	}
}

// formatList is the formats of the m= line, which needs at least one.
func (m OfferMedia) formatList() string {
	list := m.RawFormats
	if len(m.Formats) > 0 {
		list = nil
		for _, f := range m.Formats {
			list = append(list, strconv.Itoa(int(f.PT)))
		}
	}
	if len(list) == 0 {
		return "0"
	}
	return strings.Join(list, " ")
}

// write writes rtpmap and fmtp. Static payload types get an rtpmap too: some
// readers want one for each.
func (f Format) write(w *writer) {
	if f.Name == "" {
		return
	}
	channels := ""
	if f.Channels > 1 {
		channels = "/" + strconv.Itoa(f.Channels)
	}
	w.line("a=rtpmap:%d %s/%d%s", f.PT, f.Name, f.Clock, channels)
	if f.Fmtp != "" {
		w.line("a=fmtp:%d %s", f.PT, f.Fmtp)
	}
}
