package recorder

import (
	"testing"

	"sidetrack/metadata"
)

// An IPv6 host has its brackets; what else is escaped stays so.
func TestPartyOf(t *testing.T) {
	for in, want := range map[string]string{
		"sip:alice@%5B2001:db8::1%5D:5060": "sip:alice@[2001:db8::1]:5060",
		"sips:%5B::1%5D;transport=tls":     "sips:[::1];transport=tls",
		"sip:a%5Bb%5D@pbx.example.com":     "sip:a%5Bb%5D@pbx.example.com",
		"sip:a@%5Bx%5D":                    "sip:a@%5Bx%5D",
		"sip:a@%5B::1":                     "sip:a@%5B::1",
		"sip:a%5B::1%5D@pbx.example.com":   "sip:a%5B::1%5D@pbx.example.com",
		"tel:+15551234":                    "tel:+15551234",
	} {
		if got := partyOf(metadata.NameID{AOR: in}); got.AOR != want {
			t.Errorf("%s is %s, want %s", in, got.AOR, want)
		}
	}
}
