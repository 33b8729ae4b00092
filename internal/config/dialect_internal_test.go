package config

import (
	"testing"

	"sidetrack/metadata"
)

// A knob counts before the profile, in whatever order they are written.
func TestDialectOfKeys(t *testing.T) {
	for keys, want := range map[string]Dialect{
		"profile: rfc":      {},
		"profile: opensips": {LabelShift: -1, SRSInFrom: true, CallIDAsSession: true},
		"dialect: {labels: [1, 2]}, profile: opensips":       {SRSInFrom: true, CallIDAsSession: true},
		"profile: opensips, dialect: {labels: [10, 20]}":     {LabelShift: 9, LabelStep: 10, SRSInFrom: true, CallIDAsSession: true},
		"profile: opensips, dialect: {from: src}":            {LabelShift: -1, CallIDAsSession: true},
		"profile: amazon, dialect: {last_document: bye}":     {CalleeFirst: true},
		"dialect: {labels: [2, 1]}":                          {CalleeFirst: true},
		"updates: partial":                                   {Partial: true},
		"profile: avaya, dialect: {times: milliseconds}":     {Style: metadata.Style{DataMode: "dataMode"}, LabelShift: 9, LabelStep: 10, TagInside: true, Carrier: CarrierUpdate, Last: LastNowhere},
		"profile: broadworks, dialect: {elements: rfc}":      {Style: metadata.Style{DataMode: "dataMode", IDs: metadata.IDsURN}, ContactTag: "src", NoRequire: true, Hold: HoldZero, Last: LastNowhere},
		"dialect: {hold: zero, updates_by: none, ids: uuid}": {Hold: HoldZero, Carrier: CarrierNone, Style: metadata.Style{IDs: metadata.IDsUUID}},
		"dialect: {streams: two-sessions, contact_tag: inside, datamode: dataMode, sip_session_id: call-id}": {
			Streams: StreamsTwo, TagInside: true, Style: metadata.Style{DataMode: "dataMode"}, CallIDAsSession: true},
		"dialect: {metadata_type: application/rs-metadata, contact_tag: src, require_siprec: false}": {
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
