package repo_test

import (
	"slices"
	"strings"
	"testing"
)

// directions says which packages of ours each package may import outside its tests; a name ending in … stands for the
// package and all below it. b2bua and src are strangers to each other: internal/app joins them.
var directions = map[string][]string{
	"cmd/sidetrack":     {"internal/app", "internal/config", "internal/recorder", "internal/demo", "internal/store", "internal/lint"},
	"b2bua":             {"internal/dtls", "internal/logs", "internal/sip…", "internal/sdp", "internal/srtp", "forker", "metadata", "policy"},
	"src":               {"internal/logs", "internal/redact", "internal/sip…", "internal/sdp", "internal/srtp", "forker", "metadata", "policy"},
	"forker":            {"internal/dtls", "internal/srtp", "internal/audio"},
	"metadata":          {},
	"policy":            {},
	"internal/api":      {},
	"internal/audio":    {},
	"internal/lint":     {"internal/pcap", "metadata", "internal/sip…", "internal/sdp"},
	"internal/sdp":      {"internal/srtp"},
	"internal/dtls":     {"internal/srtp"},
	"internal/srtp":     {},
	"internal/sip…":     {"internal/sip…"},
	"internal/config":   {"policy", "metadata", "internal/audio", "internal/redact"},
	"internal/recorder": {"metadata", "internal/pcap", "internal/sip…", "internal/sdp", "internal/srtp", "internal/audio"},
	"internal/demo":     {"internal/app", "internal/config", "internal/recorder", "internal/audio", "internal/sip…", "internal/sdp", "metadata", "policy", "src"}, // a whole system
	"internal/app":      {"b2bua", "src", "forker", "metadata", "policy", "internal/api", "internal/config", "internal/decide", "internal/sdp", "internal/srtp", "internal/sip…", "internal/store", "internal/webhook", "internal/trace", "internal/pcap", "internal/hep", "internal/otlp", "internal/outbox", "internal/redact"},
	"internal/decide":   {"policy", "src"},
	"internal/store":    {},
	"internal/webhook":  {},
	"internal/outbox":   {},
	"internal/hep":      {"internal/outbox"},
	"internal/otlp":     {"internal/outbox"},
	"internal/logs":     {},
	"internal/redact":   {},
	"internal/trace":    {},
	"internal/pcap":     {},
	"tests/peer":        {}, // shares no code with the product
}

func within(name, pattern string) bool {
	base, deep := strings.CutSuffix(pattern, "…")
	return name == base || deep && strings.HasPrefix(name, base+"/")
}

// allowed is the list for a package; the longest pattern that fits counts.
func allowed(name string) ([]string, bool) {
	best, list := "", []string(nil)
	for pattern, imports := range directions {
		if within(name, pattern) && len(pattern) > len(best) {
			best, list = pattern, imports
		}
	}
	return list, best != ""
}

func TestImportsFollowTheDirections(t *testing.T) {
	unknown := map[string]bool{}
	for _, s := range sources(t) {
		if s.test() || s.tests() && s.dir() != "tests/peer" {
			continue
		}
		list, known := allowed(s.dir())
		if !known && !unknown[s.dir()] {
			unknown[s.dir()] = true
			t.Errorf("%s: a new package; say in this test what it may import", s.dir())
		}
		for _, name := range s.imports() {
			target := own(name)
			if target == "" || !known {
				continue
			}
			if !slices.ContainsFunc(list, func(pattern string) bool { return within(target, pattern) }) {
				t.Errorf("%s imports %s, which %s must not know", s.path, target, s.dir())
			}
		}
	}
}

// Libraries that only one place may know, so that they can be exchanged there.
var confined = map[string][]string{
	"github.com/emiago/sipgo":            nil, // its transactions reorder messages; we take its parser only
	"github.com/emiago/sipgo/sip":        {"internal/sip"},
	"gopkg.in/yaml.v3":                   {"internal/config", "tests/interop"},
	"github.com/beevik/etree":            {"metadata"},
	"github.com/klauspost/compress/s2":   {"internal/trace"},
	"github.com/miekg/dns":               {"internal/sip/resolve"},
	"modernc.org/sqlite":                 {"internal/store"},
	"modernc.org/sqlite/lib":             {"internal/store"},
	"github.com/stretchr/testify/assert": nil,
}

func TestLibrariesStayWhereTheyBelong(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range s.imports() {
			places, ruled := confined[name]
			if ruled && !slices.Contains(places, s.dir()) {
				t.Errorf("%s imports %s; only %v may", s.path, name, places)
			}
		}
		if !s.tests() && strings.Contains(s.text, "sip.TransactionLayer") {
			t.Errorf("%s uses sipgo's TransactionLayer", s.path)
		}
	}
}
