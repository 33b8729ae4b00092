package sdp_test

import (
	"strings"
	"testing"

	"sidetrack/internal/sdp"
	"sidetrack/internal/srtp"
)

func TestSecureProto(t *testing.T) {
	for _, c := range []struct{ given, clear, secure string }{
		{"RTP/AVP", "RTP/AVP", "RTP/SAVP"}, {"RTP/SAVP", "RTP/AVP", "RTP/SAVP"},
		{"RTP/AVPF", "RTP/AVPF", "RTP/SAVPF"}, {"RTP/SAVPF", "RTP/AVPF", "RTP/SAVPF"},
		{"rtp/savp", "RTP/AVP", "RTP/SAVP"},
		{"UDP/TLS/RTP/SAVP", "RTP/AVP", "RTP/SAVP"}, {"UDP/TLS/RTP/SAVPF", "RTP/AVPF", "RTP/SAVPF"},
		{"udptl", "udptl", "udptl"}, {"RTP/FOO", "RTP/FOO", "RTP/FOO"}, {"TCP/MSRP", "TCP/MSRP", "TCP/MSRP"},
	} {
		if got := sdp.SecureProto(c.given, false); got != c.clear {
			t.Errorf("%s in clear is %s", c.given, got)
		}
		if got := sdp.SecureProto(c.given, true); got != c.secure {
			t.Errorf("%s protected is %s", c.given, got)
		}
	}
}

// Only what tells of keys changes; a section that is no RTP stays as it is.
func TestSecured(t *testing.T) {
	const text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=fingerprint:SHA-256 AB:CD\r\na=setup:actpass\r\na=x:1\r\n" +
		"m=audio  4000 RTP/SAVPF 0 8 \r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret\r\na=rtpmap:0 PCMU/8000\r\na=zrtp-hash:1.10 ab\r\na=sendrecv\r\n" +
		"m=image 4002 udptl t38\r\na=crypto:1 odd\r\na=T38FaxVersion:0\r\n"
	s, err := sdp.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	key := &srtp.Key{Suite: srtp.AEAD128GCM, Master: make([]byte, 16), Salt: make([]byte, 12)}
	for _, m := range s.Media() {
		m.Secured("RTP/SAVP", []sdp.Crypto{{Tag: 3, Key: key}})
	}
	want := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=x:1\r\n" +
		"m=audio  4000 RTP/SAVP 0 8 \r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\na=crypto:3 AEAD_AES_128_GCM inline:" + strings.Repeat("A", 38) + "==\r\n" +
		"m=image 4002 udptl t38\r\na=crypto:1 odd\r\na=T38FaxVersion:0\r\n"
	if got := string(s.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	m := s.Media()[0]
	if m.Proto != "RTP/SAVP" || len(m.Cryptos()) != 1 || !m.Cryptos()[0].Key.Equal(key) {
		t.Errorf("reads as %s %v", m.Proto, m.Cryptos())
	}
	m.Secured("RTP/AVP", nil)
	if m.Secure() || len(m.Attrs("crypto")) != 0 {
		t.Errorf("still secure:\n%s", s.Bytes())
	}
}
