package sdp_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sdp"
)

// A description eight times as long may cost eight times as much to read and write, not sixty-four times.
func TestLongDescriptionsCostNoMorePerOctet(t *testing.T) {
	const head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	for name, unit := range map[string]string{
		"sections":   "m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n",
		"attributes": "a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host\r\n",
		"formats":    "m=audio 4000 RTP/AVP" + strings.Repeat(" 96", 40) + "\r\n" + strings.Repeat("a=rtpmap:96 x/8000\r\n", 40),
	} {
		short, long := perOctet(head+strings.Repeat(unit, 8)), perOctet(head+strings.Repeat(unit, 64))
		if long > 4*short {
			t.Errorf("%s: %.1f ns per octet, %.1f of an eighth of the length", name, long, short)
		}
	}
}

// perOctet gives the best of several runs in nanoseconds per octet, so that a busy machine does not count.
func perOctet(text string) float64 {
	best := time.Hour
	for range 50 {
		start := time.Now()
		if s, err := sdp.Parse([]byte(text)); err == nil {
			for _, m := range s.Media() {
				m.RTP()
			}
			s.StripICE()
			s.Bytes()
		}
		best = min(best, time.Since(start))
	}
	return float64(best.Nanoseconds()) / float64(len(text))
}
