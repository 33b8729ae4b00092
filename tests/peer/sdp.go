package peer

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// SDP is a session description as far as a scripted peer needs it.
type SDP struct {
	Origin  string // the whole o= value
	Version uint64 // its third field
	Media   []SDPMedia
}

// SDPMedia is one m-line.
type SDPMedia struct {
	Kind, Proto string
	Port        int
	Conn        string   // address of its c=, or of the session's
	Formats     []string // as on the m-line
	Direction   string   // sendrecv unless said otherwise
	Label       string
	Attrs       []string // a= values, in order
}

// Addr is where its RTP goes.
func (m SDPMedia) Addr() netip.AddrPort {
	addr, err := netip.ParseAddr(m.Conn)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, uint16(m.Port))
}

// RTCPAddr is where its RTCP goes: a=rtcp, else the next port.
func (m SDPMedia) RTCPAddr() netip.AddrPort {
	port := m.Port + 1
	if v := m.Attr("rtcp"); v != "" {
		port, _ = strconv.Atoi(strings.Fields(v)[0])
	}
	at := m.Addr()
	return netip.AddrPortFrom(at.Addr(), uint16(port))
}

// Attr is the value of the first a=NAME:value, "" when there is none.
func (m SDPMedia) Attr(name string) string {
	for _, a := range m.Attrs {
		if key, value, ok := strings.Cut(a, ":"); ok && key == name {
			return value
		}
	}
	return ""
}

// ParseSDP reads what it understands and ignores the rest.
func ParseSDP(body []byte) SDP {
	var s SDP
	conn, direction := "", "sendrecv"
	for line := range strings.SplitSeq(string(body), "\n") {
		line = strings.TrimRight(line, "\r")
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		var current *SDPMedia
		if len(s.Media) > 0 {
			current = &s.Media[len(s.Media)-1]
		}
		switch key {
		case "o":
			s.Origin = value
			if fields := strings.Fields(value); len(fields) == 6 {
				s.Version, _ = strconv.ParseUint(fields[2], 10, 64)
			}
		case "c":
			if fields := strings.Fields(value); len(fields) == 3 && current == nil {
				conn = fields[2]
			} else if len(fields) == 3 {
				current.Conn = fields[2]
			}
		case "m":
			fields := strings.Fields(value)
			if len(fields) < 4 {
				continue
			}
			m := SDPMedia{Kind: fields[0], Proto: fields[2], Formats: fields[3:], Conn: conn, Direction: direction}
			port, _, _ := strings.Cut(fields[1], "/")
			m.Port, _ = strconv.Atoi(port)
			s.Media = append(s.Media, m)
		case "a":
			readAttr(value, current, &direction)
		}
	}
	return s
}

func readAttr(value string, media *SDPMedia, session *string) {
	switch value {
	case "sendrecv", "sendonly", "recvonly", "inactive":
		if media == nil {
			*session = value
		} else {
			media.Direction = value
		}
	}
	if media == nil {
		return
	}
	media.Attrs = append(media.Attrs, value)
	if label, ok := strings.CutPrefix(value, "label:"); ok {
		media.Label = label
	}
}

// Line is one m-line to be written: the socket that backs it and what is said of it.
type Line struct {
	Media     *Media // nil: port 0
	Direction string // "" writes none
	Zero      bool   // c=0.0.0.0, the hold of RFC 2543
	Payload   int    // 0 PCMU, 8 PCMA; others need Map
	Map       string // rtpmap value such as "iLBC/8000"
	Label     string
	Proto     string   // "": RTP/AVP
	Kind      string   // "": audio
	Extra     []string // further a= values
}

// BuildSDP writes a session description with one audio m-line per line.
func BuildSDP(version int, lines ...Line) []byte {
	host := "127.0.0.1"
	for _, l := range lines {
		if l.Media != nil {
			host = l.Media.Addr().Addr().String()
		}
	}
	family := "IP4"
	if strings.Contains(host, ":") {
		family = "IP6"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=peer 4711 %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n", version, family, host, family, host)
	for _, l := range lines {
		port := 0
		if l.Media != nil {
			port = int(l.Media.Addr().Port())
		}
		proto := l.Proto
		if proto == "" {
			proto = "RTP/AVP"
		}
		kind := l.Kind
		if kind == "" {
			kind = "audio"
		}
		fmt.Fprintf(&b, "m=%s %d %s %d\r\n", kind, port, proto, l.Payload)
		if l.Zero {
			fmt.Fprintf(&b, "c=IN %s %s\r\n", family, map[string]string{"IP4": "0.0.0.0", "IP6": "::"}[family])
		}
		name := map[int]string{0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000"}[l.Payload]
		if l.Map != "" {
			name = l.Map
		}
		if name != "" {
			fmt.Fprintf(&b, "a=rtpmap:%d %s\r\n", l.Payload, name)
		}
		if l.Label != "" {
			fmt.Fprintf(&b, "a=label:%s\r\n", l.Label)
		}
		for _, extra := range l.Extra {
			fmt.Fprintf(&b, "a=%s\r\n", extra)
		}
		if l.Direction != "" {
			fmt.Fprintf(&b, "a=%s\r\n", l.Direction)
		}
	}
	return []byte(b.String())
}
