package recorder_test

import (
	"fmt"
	"net"
	"strings"
)

// offer describes what a client proposes.
type offer struct {
	sections []section
	version  int
	headers  string
	xml      string // "": made from the labels; "none": no metadata
	noSDP    bool
}

type section struct {
	label, dir, formats, extra string // formats: "0", "8 101"; extra: a= lines
	proto                      string
	off                        bool
}

func (o offer) sdp(c *client) string {
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=src 1 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n", o.version+1)
	for i, s := range o.sections {
		port := 9
		if i < len(c.media) {
			port = c.media[i].LocalAddr().(*net.UDPAddr).Port
		}
		if s.off {
			port = 0
		}
		fmt.Fprintf(&b, "m=audio %d %s %s\r\n%sa=%s\r\n", port, or(s.proto, "RTP/AVP"), or(s.formats, "0"), s.extra, or(s.dir, "sendonly"))
		if i < len(c.rtcp) {
			fmt.Fprintf(&b, "a=rtcp:%d\r\n", c.rtcp[i].LocalAddr().(*net.UDPAddr).Port)
		}
		if s.label != "" {
			fmt.Fprintf(&b, "a=label:%s\r\n", s.label)
		}
	}
	return b.String()
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func (o offer) body(c *client) (contentType, body string) {
	xml := o.xml
	if xml == "" {
		xml = metadataFor(o.sections)
	}
	switch {
	case xml == "none":
		return "application/sdp", o.sdp(c)
	case o.noSDP:
		return "application/rs-metadata+xml", xml
	}
	return "multipart/mixed;boundary=b1", "--b1\r\nContent-Type: application/sdp\r\n\r\n" + o.sdp(c) +
		"\r\n--b1\r\nContent-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n" + xml + "\r\n--b1--\r\n"
}

// Identifiers of the documents below; Base64 of 16 octets each.
const (
	sessionID = "hVpd7YQgRW2nD22h7q60JQ=="
	aliceID   = "srfBElmCRp2QB23b7Mpk0w=="
	bobID     = "zSfPoSvdSDCmU3A3TRDxAw=="
)

var streamIDs = []string{"UAAMm5GRQKSCMVvLyl4rFw==", "i1Pz3to5hGk8fuXl+PbwCw==", "8zc6e0lYTlWIINA6GR+3ag==", "EiXGlc+4TruqqoDaNE76ag=="}

func metadataFor(sections []section) string {
	const ids = `<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>` +
		`<session session_id="` + sessionID + `"><start-time>2025-01-02T03:04:05Z</start-time></session>` +
		`<participant participant_id="` + aliceID + `"><nameID aor="sip:alice@example.com"><name>Alice</name></nameID></participant>` +
		`<participant participant_id="` + bobID + `"><nameID aor="sip:bob@example.com"><name>Bob</name></nameID></participant>`
	const times = `<associate-time>2025-01-02T03:04:05Z</associate-time>`
	var streams strings.Builder
	assoc := [2]string{}
	for i, s := range sections {
		if s.label == "" || i >= len(streamIDs) {
			continue
		}
		fmt.Fprintf(&streams, `<stream stream_id="%s" session_id="%s"><label>%s</label></stream>`, streamIDs[i], sessionID, s.label)
		assoc[i%2] += "<send>" + streamIDs[i] + "</send>"
		assoc[1-i%2] += "<recv>" + streamIDs[i] + "</recv>"
	}
	order := func(s string) string { // send before recv
		return strings.Join(append(pick(s, "<send>"), pick(s, "<recv>")...), "")
	}
	return `<?xml version="1.0" encoding="UTF-8"?>` + ids + streams.String() +
		`<sessionrecordingassoc session_id="` + sessionID + `">` + times + `</sessionrecordingassoc>` +
		`<participantsessionassoc participant_id="` + aliceID + `" session_id="` + sessionID + `">` + times + `</participantsessionassoc>` +
		`<participantsessionassoc participant_id="` + bobID + `" session_id="` + sessionID + `">` + times + `</participantsessionassoc>` +
		`<participantstreamassoc participant_id="` + aliceID + `">` + order(assoc[0]) + times + `</participantstreamassoc>` +
		`<participantstreamassoc participant_id="` + bobID + `">` + order(assoc[1]) + times + `</participantstreamassoc></recording>`
}

func pick(s, tag string) (out []string) {
	for _, e := range strings.SplitAfter(s, ">") {
		if strings.HasPrefix(e, tag) {
			out = append(out, e)
			continue
		}
		if len(out) > 0 && strings.Contains(e, strings.Trim(tag, "<>")) {
			out[len(out)-1] += e
		}
	}
	return out
}

// two is the usual offer.
var two = offer{sections: []section{{label: "1"}, {label: "2"}}}
