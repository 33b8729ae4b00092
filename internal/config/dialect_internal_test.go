package config

import "testing"

// A knob counts before the profile, in whatever order they are written.
func TestDialectOfKeys(t *testing.T) {
	for keys, want := range map[string]Dialect{
		"profile: rfc":                       {},
		"profile: opensips":                  {LabelShift: -1, SRSInFrom: true, CallIDAsSession: true},
		"first_label: 1, profile: opensips":  {SRSInFrom: true, CallIDAsSession: true},
		"profile: opensips, first_label: 10": {LabelShift: 9, SRSInFrom: true, CallIDAsSession: true},
		"metadata_type: application/rs-metadata, contact_tag: src, require_siprec: false": {
			MetadataType: "application/rs-metadata", ContactTag: "src", NoRequire: true,
		},
	} {
		d := newDecoder("x.yaml", Options{})
		cfg, problems := d.decode([]byte("sip: {listen: [udp://192.0.2.1:5060], trusted: [192.0.2.0/24]}\n" +
			"routes: [{to: sip:192.0.2.20}]\nrecorders: {main: {srs: sip:198.51.100.7, " + keys + "}}\nrecording: [{recorder: main}]\n"))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := cfg.Recorders[0].Dialect; got != want {
			t.Errorf("%s: %+v", keys, got)
		}
	}
}
