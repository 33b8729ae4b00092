package sip_test

import (
	"testing"

	"sidetrack/internal/sip"
	"sidetrack/tests/peer"
)

// maxCostRatio is how many times the time per octet of an ordinary message a hostile one may take. Linear ones stay
// below 10; reading parameters in quadratic time, as parsers do that look for duplicates, lies above 100.
const maxCostRatio = 50

// TestHostileMessagesCostNoMorePerOctet guards against messages that make reading quadratic.
func TestHostileMessagesCostNoMorePerOctet(t *testing.T) {
	ordinary := perOctet(invite())
	for name, raw := range hostile() {
		if cost := perOctet(raw); cost > maxCostRatio*ordinary {
			t.Errorf("%s: %.1f ns per octet, %.1f for an ordinary message", name, cost, ordinary)
		}
	}
}

// perOctet gives the processor time in nanoseconds per octet, of many messages where one is too short to tell.
func perOctet(raw []byte) float64 {
	times := 1 + 64<<10/len(raw)
	took := peer.CPUTime(8, func() {
		for range times {
			_, _ = sip.Parse(raw)
		}
	})
	return float64(took.Nanoseconds()) / float64(times*len(raw))
}
