package sdp_test

import (
	"net/netip"
	"strings"
	"testing"

	"sidetrack/internal/sdp"
)

var (
	ourRTP  = netip.MustParseAddrPort("203.0.113.5:20000")
	ourRTCP = netip.MustParseAddrPort("203.0.113.5:20001")
)

func TestAnchor(t *testing.T) {
	six := netip.MustParseAddrPort("[2001:db8::5]:20000")
	for name, tc := range map[string]struct {
		in, want  string
		rtp, rtcp netip.AddrPort
	}{
		"session c=": {
			in:   text("v=0", "o=- 1 1 IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 0", "a=x-unknown:1"),
			want: text("v=0", "o=- 1 1 IN IP4 192.0.2.1", "c=IN IP4 203.0.113.5", "t=0 0", "m=audio 20000 RTP/AVP 0", "a=x-unknown:1"),
		},
		"media c=, odd order": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "a=ptime:20", "c=IN IP4 192.0.2.2", "b=AS:1"),
			want: text("v=0", "c=IN IP4 192.0.2.1", "m=audio 20000 RTP/AVP 0", "a=ptime:20", "c=IN IP4 203.0.113.5", "b=AS:1"),
		},
		"no c= at all": {
			in:   text("v=0", "m=audio 4000 RTP/AVP 0", "i=title", "a=x"),
			want: text("v=0", "m=audio 20000 RTP/AVP 0", "i=title", "c=IN IP4 203.0.113.5", "a=x"),
		},
		"no c=, no final line ending": {
			in:   "v=0\nm=audio 4000 RTP/AVP 0",
			want: "v=0\nm=audio 20000 RTP/AVP 0\nc=IN IP4 203.0.113.5",
		},
		"hold of RFC 2543": {
			in:   text("v=0", "c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0"),
			want: text("v=0", "c=IN IP4 0.0.0.0", "m=audio 20000 RTP/AVP 0"),
		},
		"hold of RFC 2543 to IPv6": {
			in:   text("v=0", "c=IN IP4 0.0.0.0", "m=audio 4000 RTP/AVP 0"),
			want: text("v=0", "c=IN IP6 ::", "m=audio 20000 RTP/AVP 0"), rtp: six,
		},
		"to IPv6": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0"),
			want: text("v=0", "c=IN IP6 2001:db8::5", "m=audio 20000 RTP/AVP 0"), rtp: six,
		},
		"host name": {
			in:   text("v=0", "c=IN IP4 pbx.example", "m=audio 4000 RTP/AVP 0"),
			want: text("v=0", "c=IN IP4 203.0.113.5", "m=audio 20000 RTP/AVP 0"),
		},
		"disabled": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=audio 0 RTP/AVP 0"),
			want: text("v=0", "c=IN IP4 203.0.113.5", "m=audio 0 RTP/AVP 0"),
		},
		"odd blanks and a count of ports": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m= audio\t4000/2  RTP/AVP 0 "),
			want: text("v=0", "c=IN IP4 203.0.113.5", "m= audio\t20000  RTP/AVP 0 "),
		},
		"rtcp": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "a=rtcp:4005"),
			want: text("v=0", "c=IN IP4 203.0.113.5", "m=audio 20000 RTP/AVP 0", "a=rtcp:20001"),
		},
		"rtcp with address": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "a=rtcp:4005 IN IP4 192.0.2.7"),
			want: text("v=0", "c=IN IP4 203.0.113.5", "m=audio 20000 RTP/AVP 0", "a=rtcp:20001 IN IP4 203.0.113.5"),
		},
		"rtcp on the media port": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:4000"),
			want: text("v=0", "c=IN IP4 203.0.113.5", "m=audio 20000 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:20000"),
		},
		"rtcp elsewhere": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0"),
			want: text("v=0", "c=IN IP4 203.0.113.5", "m=audio 20000 RTP/AVP 0", "a=rtcp:30001"),
			rtcp: netip.MustParseAddrPort("203.0.113.5:30001"),
		},
		"T.38": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=image 4000 udptl t38", "a=T38FaxVersion:0"),
			want: text("v=0", "c=IN IP4 203.0.113.5", "m=image 20000 udptl t38", "a=T38FaxVersion:0"),
		},
		"TCP is left alone": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=message 4000 TCP/MSRP *", "a=setup:active"),
			want: text("v=0", "c=IN IP4 192.0.2.1", "m=message 4000 TCP/MSRP *", "a=setup:active"),
		},
		"TCP beside audio keeps its address": {
			in:   text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "m=message 5000 TCP/MSRP *", "a=setup:active"),
			want: text("v=0", "c=IN IP4 203.0.113.5", "m=audio 20000 RTP/AVP 0", "m=message 5000 TCP/MSRP *", "c=IN IP4 192.0.2.1", "a=setup:active"),
		},
		"ICE and BUNDLE": {
			in: text("v=0", "c=IN IP4 192.0.2.1", "a=ice-lite", "a=ice-options:trickle", "a=group:BUNDLE 0 1", "a=group:LS 0 1", "a=ice-ufrag:x",
				"m=audio 4000 UDP/TLS/RTP/SAVPF 111", "a=candidate:1 1 udp 1 192.0.2.1 4000 typ host", "a=ice-ufrag:u", "a=ice-pwd:p", "a=mid:0",
				"a=remote-candidates:1 192.0.2.3 5", "a=end-of-candidates", "a=ice-pacing:50", "a=rtcp-mux", "a=fingerprint:sha-256 AA",
				"m=video 4000 UDP/TLS/RTP/SAVPF 96", "a=bundle-only", "a=mid:1", "a=Candidate:1"),
			want: text("v=0", "c=IN IP4 203.0.113.5", "a=group:LS 0 1",
				"m=audio 20000 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=rtcp-mux", "a=fingerprint:sha-256 AA",
				"m=video 20000 UDP/TLS/RTP/SAVPF 96", "a=mid:1"),
		},
		"other addresses": {
			in: text("v=0", "c=IN IP4 192.0.2.1", "a=ccap:1 IN IP6 2001:db8::1", "a=source-filter: incl IN IP4 * 192.0.2.1", "a=visited-realm:1 a.example IN IP4 192.0.2.8 9",
				"m=audio 4000 RTP/AVP 0", "a=altc:1 IP4 192.0.2.1 4000", "a=altc:2 IP6 2001:db8::1 4000", "a=alt:1 1 : a b 192.0.2.9 4000", "a=pcfg:1 c=1",
				"a=secondary-realm:2 b.example IN IP4 192.0.2.8 9", "a=omr-m-att:0", "a=OMR-codecs:0", "a=acap:1 candidate:1 1 udp 1 192.0.2.1 4000 typ host",
				"a=acap:2 ptime:20", "a=acap:3 acap:4 altc:1", "a=alternative:1"),
			want: text("v=0", "c=IN IP4 203.0.113.5",
				"m=audio 20000 RTP/AVP 0", "a=pcfg:1 c=1", "a=acap:2 ptime:20", "a=acap:3 acap:4 altc:1", "a=alternative:1"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			rtp, rtcp := ourRTP, ourRTCP
			if tc.rtp.IsValid() {
				rtp, rtcp = tc.rtp, netip.AddrPortFrom(tc.rtp.Addr(), tc.rtp.Port()+1)
			}
			if tc.rtcp.IsValid() {
				rtcp = tc.rtcp
			}
			s := parse(t, tc.in)
			for range 2 { // doing it again changes nothing more
				for _, m := range s.Media() {
					m.Anchor(rtp, rtcp)
				}
				if got := string(s.Bytes()); got != tc.want {
					t.Fatalf("got\n%s\nwant\n%s", got, tc.want)
				}
			}
		})
	}
}

func TestAnchorTwoAddresses(t *testing.T) {
	s := parse(t, text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0"))
	s.Media()[0].Anchor(ourRTP, ourRTCP)
	s.Media()[1].Anchor(netip.MustParseAddrPort("203.0.113.6:20000"), netip.MustParseAddrPort("203.0.113.6:20001"))
	want := text("v=0", "c=IN IP4 203.0.113.5", "m=audio 20000 RTP/AVP 0", "m=audio 20000 RTP/AVP 0", "c=IN IP4 203.0.113.6")
	if got := string(s.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnchorInvalidAddressChangesNothing(t *testing.T) {
	in := text("v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "a=candidate:1")
	s := parse(t, in)
	s.Media()[0].Anchor(netip.AddrPort{}, netip.AddrPort{})
	if got := string(s.Bytes()); got != in {
		t.Errorf("got\n%s", got)
	}
}

func TestAnchorKeepsOtherLines(t *testing.T) {
	for name, in := range oddities {
		t.Run(name, func(t *testing.T) {
			s := parse(t, in)
			for _, m := range s.Media() {
				m.Anchor(ourRTP, ourRTCP)
			}
			out := string(s.Bytes())
			for l := range strings.SplitSeq(in, "\n") {
				l = strings.TrimSuffix(l, "\r")
				if strings.HasPrefix(l, "m=") || strings.HasPrefix(l, "c=") {
					continue
				}
				if !strings.Contains(out, l) {
					t.Errorf("line %q was lost in %q", l, out)
				}
			}
		})
	}
}

func BenchmarkAnchor(b *testing.B) {
	in := []byte(oddities["ordinary"])
	b.ReportAllocs()
	for b.Loop() {
		s, err := sdp.Parse(in)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range s.Media() {
			m.Anchor(ourRTP, ourRTCP)
		}
		if len(s.Bytes()) == 0 {
			b.Fatal("nothing written")
		}
	}
}
