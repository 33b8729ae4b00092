package lint

import (
	"strconv"
	"strings"

	"sidetrack/internal/sdp"
)

// description judges the SDP.
func (j *judge) description(raw []byte) *sdp.Session {
	s, err := sdp.Parse(raw)
	if err != nil {
		j.add("SDP-19", Must, j.line("v=", 0), "SDP", "cannot be read: %v", err)
		return nil
	}
	j.order(string(raw))
	if len(s.Media()) == 0 {
		j.add("SDP-06", Must, j.line("v=", 0), "SDP", "no m-line")
	}
	if n := len(s.Media()); n == 1 {
		j.add("SDP-06", Should, j.line("m=", 0), "SDP", "one m-line: a call has one for each party; drachtio never answers such an offer")
	}
	for i, m := range s.Media() {
		j.media(i, m)
	}
	return s
}

// order judges the lines ahead of the first m-line: some readers know no other order than that of RFC 8866 §5.
func (j *judge) order(raw string) {
	const want = "vosiuepcbtrzka"
	last, seen := -1, map[byte]bool{}
	for l := range strings.SplitSeq(raw, "\n") {
		if len(l) < 2 || l[1] != '=' {
			continue
		}
		if l[0] == 'm' {
			break
		}
		seen[l[0]] = true
		at := strings.IndexByte(want, l[0])
		if at < last {
			j.add("SDP-19", Should, j.line(l[:2], 0), "SDP", "%s stands too late; strict readers want v, o, s, c, t in this order", l[:2])
		}
		last = max(last, at)
		if l[0] == 'o' {
			j.origin(strings.Fields(strings.TrimSpace(l[2:])))
		}
	}
	for _, c := range "vost" {
		if !seen[byte(c)] {
			j.add("SDP-19", Must, j.line("v=", 0), "SDP", "no %c= line", c)
		}
	}
}

func (j *judge) origin(fields []string) {
	if len(fields) != 6 {
		j.add("SDP-19", Must, j.line("o=", 0), "o=", "%d fields, not 6", len(fields))
		return
	}
	for _, f := range fields[1:3] {
		if _, err := strconv.ParseInt(f, 10, 64); err != nil {
			j.add("SDP-19", Must, j.line("o=", 0), "o=", "%q is no number of 63 bits", f)
		}
	}
}

// media judges an m-line.
func (j *judge) media(i int, m *sdp.Media) {
	where, line := "m-line "+strconv.Itoa(i+1), j.line("m=", i)
	if label, ok := m.Attr("label"); !ok || label == "" {
		j.add("SDP-03", Must, line, where, "no a=label; pjproject refuses the INVITE with 400, others guess who is who")
	}
	switch d := m.Direction(); {
	case m.Port == 0 || d == sdp.SendOnly || d == sdp.Inactive:
	default:
		j.add("SDP-02", Should, line, where, "is %s; a client sends only (a=sendonly)", d)
	}
	if _, ok := m.Addr(); !ok && m.Port != 0 {
		j.add("SDP-19", Must, line, where, "no address: neither a c= line of its own nor one of the session")
	}
	for _, name := range []string{"candidate", "ice-ufrag", "fingerprint", "setup", "ssrc", "rtcp-fb", "mid", "msid"} {
		if _, ok := m.Attr(name); ok {
			j.add("SDP-30", Should, line, where, "a=%s is the call's own affair, not the recorder's", name)
		}
	}
	if _, ok := m.Attr("crypto"); ok {
		j.keys(m, where, line)
	}
	if _, mux := m.Attr("rtcp-mux"); mux {
		for _, f := range m.RTP() {
			if f.PT >= 64 && f.PT <= 95 {
				j.add("SDP-29", Must, line, where, "payload type %d cannot be told from RTCP on a muxed port", f.PT)
			}
		}
	}
}

func (j *judge) keys(m *sdp.Media, where string, line int) {
	if !m.Secure() {
		j.add("SEC-07", Must, line, where, "a=crypto in %s: keys belong into RTP/SAVP", m.Proto)
	}
	if p := j.item.proto; p == "udp" || p == "tcp" {
		j.add("SEC-08", Must, line, where, "keys go over %s, for all to read; they need TLS", strings.ToUpper(p))
	}
}

func labelsOf(s *sdp.Session) []string {
	labels := []string{}
	for _, m := range s.Media() {
		if l, ok := m.Attr("label"); ok {
			labels = append(labels, l)
		}
	}
	return labels
}
