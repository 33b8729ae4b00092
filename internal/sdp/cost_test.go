package sdp_test

import (
	"fmt"
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

// However many header extensions a section names, and however often its formats say that a codec is in RED, it costs no
// more per octet than one that is as long and says nothing of the kind.
func TestHostileSectionsCostNoMorePerOctet(t *testing.T) {
	const filler = "a=ptime:%06d\r\n"
	section := func(formats, line string) string {
		var b strings.Builder
		b.WriteString("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP" + formats + "\r\n")
		for i := 0; b.Len() < 60<<10; i++ {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	var reds, all strings.Builder
	for pt := range 127 {
		fmt.Fprintf(&all, " %d", pt)
		fmt.Fprintf(&reds, "\r\na=rtpmap:%[1]d red/8000\r\na=fmtp:%[1]d 127", pt)
	}
	plain := perOctet(section(" 8", filler))
	for name, text := range map[string]string{
		"extensions": section(" 8", "a=extmap:1 urn:%06d\r\n"),
		"RED":        section(all.String()+reds.String(), filler),
	} {
		if cost := perOctet(text); cost > 10*plain {
			t.Errorf("%s: %.1f ns per octet, %.1f of other attributes", name, cost, plain)
		} else {
			t.Logf("%s: %.1f ns per octet, %.1f of other attributes", name, cost, plain)
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
			sdp.Negotiated(m, m)
			sdp.NegotiatedExtensions(m, m)
			m.Anchor(ourRTP, ourRTCP)
		}
		s.Bytes()
	}
}

// Each call reads and writes some descriptions, nearly all of one or two sections.
func TestAllocations(t *testing.T) {
	text := []byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n")
	s, err := sdp.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	media := sdp.OfferMedia{Port: 4000, Formats: s.Media()[0].RTP(), Direction: sdp.SendOnly, Label: "1", Ptime: "20"}
	offer := sdp.Offer{SessionID: 1 << 40, Version: 300, Media: []sdp.OfferMedia{media, media}}
	for name, c := range map[string]struct {
		most float64
		do   func()
	}{
		"Parse": {4, func() { _, _ = sdp.Parse(text) }},
		"Clone": {2, func() { s.Clone() }},
		"RTP":   {1, func() { s.Media()[0].RTP() }},
		"Offer": {3, func() { offer.Bytes() }},
	} {
		if n := testing.AllocsPerRun(100, c.do); n > c.most {
			t.Errorf("%s makes %v allocations, want %v", name, n, c.most)
		}
	}
}
