package sdp

import (
	"cmp"
	"net/netip"
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
	addr := addrText("IN ", o.Addr)
	if !o.Addr.IsValid() {
		addr = addrText("IN ", netip.IPv4Unspecified())
	}
	user := strings.Join(strings.Fields(o.Username), "_")
	if user == "" {
		user = "-"
	}
	const mask = 1<<63 - 1
	w.line("v=0")
	w.text("o=", user)
	w.number(" ", o.SessionID&mask)
	w.number(" ", o.Version&mask)
	w.line(" ", addr)
	w.line("s=-")
	w.line("c=", addr)
	w.line("t=0 0")
	for i := range o.Media {
		o.Media[i].write(w)
	}
	return w.b
}

// writer collects lines. A value cannot break out of its line: CR, LF and NUL
// are left out.
type writer struct{ b []byte }

func (w *writer) text(parts ...string) {
	for _, s := range parts {
		for {
			i := strings.IndexAny(s, "\r\n\x00")
			if i < 0 {
				break
			}
			w.b, s = append(w.b, s[:i]...), s[i+1:]
		}
		w.b = append(w.b, s...)
	}
}

func (w *writer) number(before string, n uint64) {
	w.b = strconv.AppendUint(append(w.b, before...), n, 10)
}

// line ends the line with these.
func (w *writer) line(parts ...string) {
	w.text(parts...)
	w.b = append(w.b, '\r', '\n')
}

func (m *OfferMedia) write(w *writer) {
	w.text("m=", cmp.Or(m.Kind, "audio"))
	w.number(" ", uint64(m.Port))
	w.text(" ", cmp.Or(m.Proto, "RTP/AVP"))
	m.writeFormats(w)
	for i := range m.Formats {
		m.Formats[i].write(w)
	}
	if m.Ptime != "" {
		w.line("a=ptime:", m.Ptime)
	}
	if m.Direction != "" {
		w.line("a=", string(m.Direction))
	}
	if m.RTCPPort != 0 && m.Port != 0 && m.RTCPPort != m.Port+1 {
		w.number("a=rtcp:", uint64(m.RTCPPort))
		w.line()
	}
	if m.Label != "" {
		w.line("a=label:", m.Label)
	}
	for _, c := range m.Cryptos {
		w.line("a=", c.Attribute())
	}
	for _, e := range m.Extensions {
		w.line("a=", e.attribute())
	}
	for _, e := range m.Extra {
		w.line("a=", e)
	}
}

// writeFormats ends the m= line, which needs at least one.
func (m *OfferMedia) writeFormats(w *writer) {
	switch {
	case len(m.Formats) > 0:
		for i := range m.Formats {
			w.number(" ", uint64(m.Formats[i].PT))
		}
	case len(m.RawFormats) > 0:
		for _, f := range m.RawFormats {
			w.text(" ", f)
		}
	default:
		w.text(" 0")
	}
	w.line()
}

// write writes rtpmap and fmtp. Static payload types get an rtpmap too: some
// readers want one for each.
func (f *Format) write(w *writer) {
	if f.Name == "" {
		return
	}
	w.number("a=rtpmap:", uint64(f.PT))
	w.text(" ", f.Name)
	w.number("/", uint64(f.Clock))
	if f.Channels > 1 {
		w.number("/", uint64(f.Channels))
	}
	w.line()
	if f.Fmtp != "" {
		w.number("a=fmtp:", uint64(f.PT))
		w.line(" ", f.Fmtp)
	}
}
