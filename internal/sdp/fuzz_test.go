package sdp_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sdp"
	"sidetrack/tests/peer"
)

// FuzzParse holds: what is not edited is unchanged; anchoring twice is anchoring
// once; nothing panics and every section that can be relayed ends at our address.
func FuzzParse(f *testing.F) {
	for _, s := range oddities {
		f.Add([]byte(s))
	}
	f.Add(recording().Bytes())
	f.Add([]byte("v=0\nc=IN IP4 0.0.0.0\na=group:BUNDLE a\nm=audio 1/2 RTP/AVP 0 96\na=rtcp:1 IN IP6 ::\na=rtpmap:96 a/b/c\na=fmtp:96"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := sdp.Parse(b)
		if err != nil {
			return
		}
		if got := s.Bytes(); !bytes.Equal(got, b) {
			t.Fatalf("%q came back as %q", b, got)
		}
		sdp.MatchAnswer(two(), s)
		anchored := anchorAll(t, s)
		again, err := sdp.Parse(anchored)
		if err != nil {
			t.Fatalf("anchored as %q: %v", anchored, err)
		}
		if twice := anchorAll(t, again); !bytes.Equal(twice, anchored) {
			t.Fatalf("%q anchored again is %q", anchored, twice)
		}
		s.SetOriginAddr(ourRTP.Addr())
		s.Origin()
	})
}

func anchorAll(t *testing.T, s *sdp.Session) []byte {
	for _, m := range s.Media() {
		m.RTP()
		sdp.Negotiated(m, m)
		m.RTCP()
		m.Anchor(ourRTP, ourRTCP)
		if ap, ok := m.Addr(); m.UDP() && ok && ap != ourRTP && !m.ConnIsZero() {
			t.Fatalf("anchored section is at %v", ap)
		}
	}
	return s.Bytes()
}

// TestCostIsLinear reads and anchors the largest descriptions that make each
// section ask the session's lines, in far less time than a quadratic walk takes.
func TestCostIsLinear(t *testing.T) {
	for _, tc := range []struct{ head, line string }{
		{"v=0\n" + strings.Repeat("\n", sdp.MaxSize/2), "m=a 1 RTP/AVP 0\n"},
		{"v=0\nc=IN IP4 192.0.2.1\n", "m=a 1 x\n"},
		{"v=0\nc=IN IP4 192.0.2.1\nm=a 1 RTP/AVP 0\n", "a=rtcp:1\n"},
	} {
		n := (sdp.MaxSize - len(tc.head)) / len(tc.line)
		s := parse(t, tc.head+strings.Repeat(tc.line, n))
		if d := peer.CPUTime(1, func() { anchorAll(t, s) }); d > time.Second {
			t.Errorf("%d of %q took %v", n, tc.line, d)
		}
	}
}
