package config

import (
	"math"
	"strings"
)

// HEP is where SIP messages, RTCP and verdicts are mirrored to.
type HEP struct {
	Proto     string // udp, tcp or tls; "": nothing is mirrored
	Address   string // host:port
	CA        string // PEM, for tls; "": the system's authorities
	CaptureID uint32
	Node      string // "": none is told
	Password  string // "": none is told

	SIP, RTCP, Verdict bool // what is mirrored
}

// The values of hep.mirror.
const (
	MirrorSIP     = "sip"
	MirrorRTCP    = "rtcp"
	MirrorVerdict = "verdict"
)

const maxNode = 255 // octets, of a name or password in each packet

func defaultHEP() HEP { return HEP{CaptureID: 2001, SIP: true, RTCP: true, Verdict: true} }

func (d *decoder) hep(c cursor) {
	h := &d.cfg.HEP
	ok := c.read(fields{
		{"address", d.hepAddress},
		{"ca", func(c cursor) {
			if h.CA = d.fileName(c); h.CA != "" {
				if err := checkAuthorities(h.CA); err != nil {
					c.failf("%v", err)
				}
			}
		}},
		{"capture_id", func(c cursor) {
			if v, ok := c.integer(0, math.MaxUint32); ok {
				h.CaptureID = uint32(v)
			}
		}},
		{"node", func(c cursor) { h.Node = c.short(maxNode) }},
		{"password", func(c cursor) { h.Password = c.short(maxNode) }},
		{"mirror", func(c cursor) {
			h.SIP, h.RTCP, h.Verdict = false, false, false
			for _, item := range c.words("sip, rtcp or verdict") {
				switch s, _ := item.oneOf(MirrorSIP, MirrorRTCP, MirrorVerdict); s {
				case MirrorSIP:
					h.SIP = true
				case MirrorRTCP:
					h.RTCP = true
				case MirrorVerdict:
					h.Verdict = true
				}
			}
		}},
	})
	if ok && c.n.get("address") == nil {
		c.failf("has no address; add address: udp://HOST:9060")
	}
	if h.CA != "" && h.Proto != "tls" && h.Proto != "" {
		c.warnf("ca is for tls; the address is of %s", h.Proto)
	}
}

func (d *decoder) hepAddress(c cursor) {
	const want = `PROTO://HOST:PORT such as udp://192.0.2.60:9060, or "" for none`
	s, ok := c.text(want)
	if !ok || s == "" {
		return
	}
	proto, rest, found := strings.Cut(s, "://")
	host, port, err := splitHostPort(rest)
	switch {
	case !found, proto != "udp" && proto != "tcp" && proto != "tls", err != nil, host == "", port == 0:
		c.failf("%s is no address of a HEP receiver; write %s", c.show(), want)
		return
	case proto != "tls" && !loopbackHost(host):
		c.warnf("messages, with the numbers of callers, go in clear to %s; write tls where they leave your network", rest)
	}
	d.cfg.HEP.Proto, d.cfg.HEP.Address = proto, rest
}

// short reads a text of at most so many octets; it may be empty.
func (c cursor) short(most int) string {
	s, ok := c.text(`a text, or "" for none`)
	if ok && (len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' })) {
		c.failf("has more than %d octets, or control characters", most)
		return ""
	}
	return s
}

// mirrored lists what is mirrored.
func (h HEP) mirrored() string {
	var all []string
	for _, m := range []struct {
		on   bool
		name string
	}{{h.SIP, MirrorSIP}, {h.RTCP, MirrorRTCP}, {h.Verdict, MirrorVerdict}} {
		if m.on {
			all = append(all, m.name)
		}
	}
	return strings.Join(all, ", ")
}

// describe is a line for those who mirror.
func (h HEP) describe(t *table) {
	if h.Proto != "" {
		t.row("hep", or(h.mirrored(), "nothing")+" to "+h.Proto+"://"+h.Address)
	}
}
