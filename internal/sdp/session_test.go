package sdp_test

import (
	"net/netip"
	"strings"
	"testing"

	"sidetrack/internal/sdp"
)

// text joins lines with CRLF and ends with one.
func text(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n" }

func parse(t testing.TB, s string) *sdp.Session {
	t.Helper()
	d, err := sdp.Parse([]byte(s))
	if err != nil {
		t.Fatalf("parsing %q: %v", s, err)
	}
	return d
}

// oddities are descriptions that strict readers refuse or rewrite.
var oddities = map[string]string{
	"ordinary":            text("v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000"),
	"T.38":                text("v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=image 4000 udptl t38", "a=T38FaxVersion:0"),
	"unknown protocol":    text("v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", "t=0 0", "m=audio 4000 RTP/FOO 0"),
	"no s= and t=":        text("v=0", "o=- 1 2 IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0"),
	"b= before c=":        text("v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", "b=AS:80", "c=IN IP4 192.0.2.1", "a=x", "t=0 0", "m=audio 4000 RTP/AVP 0"),
	"LF only":             "v=0\no=- 1 2 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 0\n",
	"mixed endings":       "v=0\r\no=- 1 2 IN IP4 192.0.2.1\ns=-\r\nm=audio 4000 RTP/AVP 0\n",
	"no final CRLF":       "v=0\r\ns=-\r\nm=audio 4000 RTP/AVP 0",
	"user name of words":  text("v=0", "o=John Q Public 1 2 IN IP4 192.0.2.1", "s=-", "m=audio 4000 RTP/AVP 0"),
	"huge session id":     text("v=0", "o=- 99999999999999999999999999 2 IN IP4 192.0.2.1", "s= ", "m=audio 4000 RTP/AVP 0"),
	"unknown line type":   text("v=0", "y=0105000001", "m=audio 4000 RTP/AVP 0", "f=v/1/2"),
	"b= without colon":    text("v=0", "b=80", "m=audio 4000 RTP/AVP 0"),
	"port above 65535":    text("v=0", "m=audio 70000 RTP/AVP 0"),
	"trailing blanks":     text("v=0  ", "m=audio 4000 RTP/AVP 0  ", "a=sendonly "),
	"blank lines":         "v=0\r\n\r\nm=audio 4000 RTP/AVP 0\r\n\r\n",
	"NUL and broken text": "v=0\r\nm=audio 4000 RTP/AVP 0\r\na=x:\x00\xff\xfe\r\n",
	"m= first":            text("m=audio 4000 RTP/AVP 0", "v=0"),
	"m= without fields":   text("v=0", "m=", "m=audio", "m=audio x"),
}

func TestParseKeepsBytes(t *testing.T) {
	for name, in := range oddities {
		t.Run(name, func(t *testing.T) {
			if got := string(parse(t, in).Bytes()); got != in {
				t.Errorf("got %q, want %q", got, in)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want error
	}{
		"empty":    {"", sdp.ErrNotSDP},
		"not SDP":  {"hello\r\n", sdp.ErrNotSDP},
		"no v, m":  {"s=-\r\n", sdp.ErrNotSDP},
		"too long": {"v=0\r\n" + strings.Repeat("a=x\r\n", sdp.MaxSize/5), sdp.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := sdp.Parse([]byte(tc.in)); err != tc.want {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	s := parse(t, oddities["user name of words"])
	want := sdp.Origin{Username: "John Q Public", SessionID: "1", Version: "2", NetType: "IN", AddrType: "IP4", Addr: "192.0.2.1"}
	if got := s.Origin(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.SetOriginAddr(netip.MustParseAddr("2001:db8::1"))
	if got, want := string(s.Bytes()), "o=John Q Public 1 2 IN IP6 2001:db8::1\r\n"; !strings.Contains(got, want) {
		t.Errorf("got %q, want it to hold %q", got, want)
	}
	none := parse(t, "v=0\r\no=broken\r\n")
	none.SetOriginAddr(netip.MustParseAddr("192.0.2.9"))
	if got := string(none.Bytes()); got != "v=0\r\no=broken\r\n" {
		t.Errorf("broken o= line was changed: %q", got)
	}
}

func TestMediaAddresses(t *testing.T) {
	ap := netip.MustParseAddrPort
	for name, tc := range map[string]struct {
		session, media []string
		rtp, rtcp      netip.AddrPort
	}{
		"session c=":       {[]string{"c=IN IP4 192.0.2.1"}, []string{"m=audio 4000 RTP/AVP 0"}, ap("192.0.2.1:4000"), ap("192.0.2.1:4001")},
		"media c=":         {[]string{"c=IN IP4 192.0.2.1"}, []string{"m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.2"}, ap("192.0.2.2:4000"), ap("192.0.2.2:4001")},
		"IPv6":             {nil, []string{"m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::1"}, ap("[2001:db8::1]:4000"), ap("[2001:db8::1]:4001")},
		"multicast TTL":    {nil, []string{"m=audio 4000/2 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"}, ap("224.2.1.1:4000"), ap("224.2.1.1:4001")},
		"rtcp port":        {[]string{"c=IN IP4 192.0.2.1"}, []string{"m=audio 4000 RTP/AVP 0", "a=rtcp:5000"}, ap("192.0.2.1:4000"), ap("192.0.2.1:5000")},
		"rtcp address":     {[]string{"c=IN IP4 192.0.2.1"}, []string{"m=audio 4000 RTP/AVP 0", "a=rtcp:5000 IN IP4 192.0.2.9"}, ap("192.0.2.1:4000"), ap("192.0.2.9:5000")},
		"broken rtcp":      {[]string{"c=IN IP4 192.0.2.1"}, []string{"m=audio 4000 RTP/AVP 0", "a=rtcp:x"}, ap("192.0.2.1:4000"), ap("192.0.2.1:4001")},
		"mux":              {[]string{"c=IN IP4 192.0.2.1"}, []string{"m=audio 4000 RTP/AVP 0", "a=rtcp:5000", "a=rtcp-mux"}, ap("192.0.2.1:4000"), ap("192.0.2.1:4000")},
		"no port after":    {[]string{"c=IN IP4 192.0.2.1"}, []string{"m=audio 65535 RTP/AVP 0"}, ap("192.0.2.1:65535"), netip.AddrPort{}},
		"disabled":         {[]string{"c=IN IP4 192.0.2.1"}, []string{"m=audio 0 RTP/AVP 0"}, netip.AddrPort{}, netip.AddrPort{}},
		"host name":        {[]string{"c=IN IP4 media.example.com"}, []string{"m=audio 4000 RTP/AVP 0"}, netip.AddrPort{}, netip.AddrPort{}},
		"no c=":            {nil, []string{"m=audio 4000 RTP/AVP 0"}, netip.AddrPort{}, netip.AddrPort{}},
		"mapped IPv4":      {[]string{"c=IN IP6 ::ffff:192.0.2.1"}, []string{"m=audio 4000 RTP/AVP 0"}, ap("192.0.2.1:4000"), ap("192.0.2.1:4001")},
		"blanks in m=":     {[]string{"c=IN  IP4  192.0.2.1 "}, []string{"m= audio  4000  RTP/AVP  0 "}, ap("192.0.2.1:4000"), ap("192.0.2.1:4001")},
		"hold of RFC 2543": {[]string{"c=IN IP4 0.0.0.0"}, []string{"m=audio 4000 RTP/AVP 0"}, ap("0.0.0.0:4000"), ap("0.0.0.0:4001")},
	} {
		t.Run(name, func(t *testing.T) {
			m := parse(t, text(append(append([]string{"v=0"}, tc.session...), tc.media...)...)).Media()[0]
			rtp, ok := m.Addr()
			if rtp != tc.rtp || ok != tc.rtp.IsValid() {
				t.Errorf("RTP: got %v %v, want %v", rtp, ok, tc.rtp)
			}
			rtcp, ok := m.RTCP()
			if rtcp != tc.rtcp || ok != tc.rtcp.IsValid() {
				t.Errorf("RTCP: got %v %v, want %v", rtcp, ok, tc.rtcp)
			}
		})
	}
}

func TestMediaKinds(t *testing.T) {
	for proto, want := range map[string]struct{ udp, rtp, secure bool }{
		"RTP/AVP": {true, true, false}, "RTP/AVPF": {true, true, false}, "RTP/FOO": {true, true, false},
		"RTP/SAVP": {true, true, true}, "UDP/TLS/RTP/SAVPF": {true, true, true}, "udptl": {true, false, false},
		"UDP": {true, false, false}, "UDP/DTLS/SCTP": {true, false, true}, "DTLS/SCTP": {true, false, true},
		"TCP/RTP/AVP": {false, true, false}, "TCP/MSRP": {false, false, false}, "TCP/TLS/BFCP": {false, false, true}, "zeppelin": {},
	} {
		m := parse(t, text("v=0", "m=audio 4000 "+proto+" 0")).Media()[0]
		if m.UDP() != want.udp || m.IsRTP() != want.rtp || m.Secure() != want.secure {
			t.Errorf("%s: UDP %v, RTP %v, secure %v; want %+v", proto, m.UDP(), m.IsRTP(), m.Secure(), want)
		}
	}
}

func TestDirection(t *testing.T) {
	for name, tc := range map[string]struct {
		lines []string
		want  sdp.Direction
	}{
		"default":             {[]string{"c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0"}, sdp.SendRecv},
		"media":               {[]string{"c=IN IP4 192.0.2.1", "a=sendonly", "m=audio 4000 RTP/AVP 0", "a=recvonly"}, sdp.RecvOnly},
		"session":             {[]string{"c=IN IP4 192.0.2.1", "a=sendonly", "m=audio 4000 RTP/AVP 0"}, sdp.SendOnly},
		"zero address":        {[]string{"c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0"}, sdp.SendOnly},
		"zero address, IPv6":  {[]string{"m=audio 4000 RTP/AVP 0", "c=IN IP6 ::"}, sdp.SendOnly},
		"zero and recvonly":   {[]string{"c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0", "a=recvonly"}, sdp.Inactive},
		"zero and inactive":   {[]string{"c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0", "a=inactive"}, sdp.Inactive},
		"disabled":            {[]string{"c=IN IP4 192.0.2.1", "m=audio 0 RTP/AVP 0"}, sdp.Inactive},
		"zero at the session": {[]string{"c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.1"}, sdp.SendRecv},
	} {
		t.Run(name, func(t *testing.T) {
			m := parse(t, text(append([]string{"v=0"}, tc.lines...)...)).Media()[0]
			if got := m.Direction(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	for _, d := range []sdp.Direction{sdp.SendRecv, sdp.SendOnly, sdp.RecvOnly, sdp.Inactive} {
		if r := d.Reverse(); r.Sends() != d.Recvs() || r.Recvs() != d.Sends() || r.Reverse() != d {
			t.Errorf("%s reversed is %s", d, r)
		}
	}
}

func TestSending(t *testing.T) {
	media := func(d string) *sdp.Media {
		return parse(t, text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "a="+d)).Media()[0]
	}
	for _, tc := range []struct {
		offer, answer     string
		offerer, answerer bool
	}{
		{"sendrecv", "sendrecv", true, true}, {"sendonly", "recvonly", true, false}, {"recvonly", "sendonly", false, true},
		{"sendrecv", "inactive", false, false}, {"inactive", "sendrecv", false, false}, {"sendrecv", "recvonly", true, false},
	} {
		if o, a := sdp.Sending(media(tc.offer), media(tc.answer)); o != tc.offerer || a != tc.answerer {
			t.Errorf("%s/%s: got %v %v", tc.offer, tc.answer, o, a)
		}
	}
	if o, a := sdp.Sending(media("sendrecv"), nil); o || a {
		t.Error("nil answer sends")
	}
}

func TestClone(t *testing.T) {
	const text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 4000 RTP/AVP 8\r\na=sendonly\r\nm=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
	s := parse(t, text)
	c := s.Clone()
	to := netip.MustParseAddrPort("198.51.100.1:30000")
	for _, m := range c.Media() {
		m.Anchor(to, netip.MustParseAddrPort("198.51.100.1:30005"))
	}
	c.SetRecord(sdp.RecordOn)
	if got := string(s.Bytes()); got != text {
		t.Errorf("an edit of the copy has changed it:\n%s", got)
	}
	if got, _ := s.Media()[1].Addr(); got != netip.MustParseAddrPort("192.0.2.1:4002") {
		t.Errorf("its media go to %v", got)
	}
	if again := parse(t, string(c.Bytes())); again.Media()[0].Direction() != sdp.SendOnly || again.Media()[1].RTP()[0].Name != "H264" {
		t.Errorf("the copy lacks something:\n%s", c.Bytes())
	}
}
