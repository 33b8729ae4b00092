package body_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
)

// A body eight times as long may cost eight times as much to take apart and to edit, not sixty-four times.
func TestLongBodiesCostNoMorePerOctet(t *testing.T) {
	flat := func(n int) string {
		return strings.Repeat("--b\r\nContent-Type: text/plain\r\n\r\nx\r\n", n) + "--b--\r\n"
	}
	deep := func(n int) string {
		inner := "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"
		for range n {
			inner = "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n" + inner + "\r\n--b--\r\n"
		}
		return inner
	}
	almost := func(n int) string { return "--b\r\n\r\n" + strings.Repeat("\r\n--", 20*n) + "\r\n--b--\r\n" }
	folded := func(n int) string { return "--b\r\nX: y\r\n" + strings.Repeat(" z\r\n", 250*n) + "\r\nx\r\n--b--\r\n" }
	for name, text := range map[string]func(int) string{"flat": flat, "deep": deep, "almost": almost, "folded": folded} {
		short, long := perOctet(text(8)), perOctet(text(64))
		if long > 4*short {
			t.Errorf("%s: %.1f ns per octet, %.1f of an eighth of the length", name, long, short)
		}
	}
}

// perOctet gives the best of several runs in nanoseconds per octet, so that a busy machine does not count.
func perOctet(text string) float64 {
	m := sip.NewRequest("INFO", "sip:x@y")
	m.SetBody("multipart/mixed;boundary=b", []byte(text))
	best := time.Hour
	for range 50 {
		start := time.Now()
		body.Parts(m)
		body.Replace(m, "application/sdp", func(b []byte) []byte { return b })
		best = min(best, time.Since(start))
	}
	return float64(best.Nanoseconds()) / float64(len(text))
}
