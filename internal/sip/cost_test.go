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

// TestParseCopiesValuesOnly: a message costs a call for each of its values, and little more. A name that everybody
// spells alike is not copied.
func TestParseCopiesValuesOnly(t *testing.T) {
	raw := invite()
	m := mustParse(t, raw)
	most := float64(len(m.Headers) + 14) // the rest: start line, list, body, and what the check keeps of Via, From and To
	if got := testing.AllocsPerRun(100, func() { _, _ = sip.Parse(raw) }); got > most {
		t.Errorf("%v allocations for %d fields", got, len(m.Headers))
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
