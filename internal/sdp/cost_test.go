package sdp_test

import (
	"strings"
	"testing"

	"sidetrack/internal/sdp"
	"sidetrack/tests/peer"
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

// perOctet gives the processor time in nanoseconds per octet, of many descriptions where one is too short to tell.
func perOctet(text string) float64 {
	times := 1 + 64<<10/len(text)
	took := peer.CPUTime(8, func() {
		for range times {
			read(text)
		}
	})
	return float64(took.Nanoseconds()) / float64(times*len(text))
}

func read(text string) {
	if s, err := sdp.Parse([]byte(text)); err == nil {
		for _, m := range s.Media() {
			m.RTP()
			m.Anchor(ourRTP, ourRTCP)
		}
		s.Bytes()
	}
}
