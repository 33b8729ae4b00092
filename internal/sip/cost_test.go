package sip_test

import (
	"testing"
	"time"

	"sidetrack/internal/sip"
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

// perOctet gives the best of several runs in nanoseconds per octet, so that a busy machine does not count.
func perOctet(raw []byte) float64 {
	best := time.Hour
	for range 20 {
		start := time.Now()
		_, _ = sip.Parse(raw)
		best = min(best, time.Since(start))
	}
	return float64(best.Nanoseconds()) / float64(len(raw))
}
