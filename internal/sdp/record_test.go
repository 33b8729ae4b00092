package sdp_test

import (
	"strings"
	"testing"

	"sidetrack/internal/sdp"
)

// REC-04, REC-09, REC-11: a=record and a=recordpref of both levels; what is unknown is as if it were not there.
func TestRecord(t *testing.T) {
	text := func(session, media string) *sdp.Session {
		return parse(t, "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"+session+"m=audio 9 RTP/AVP 0\r\n"+media)
	}
	for _, c := range []struct {
		session, media string
		record         sdp.Record
		pref           sdp.RecordPref
	}{
		{"", "", "", ""},
		{"a=record:on\r\n", "", sdp.RecordOn, ""},
		{"a=record:on\r\n", "a=record:paused\r\n", sdp.RecordPaused, ""},
		{"", "a=record:off\r\na=recordpref:pause\r\n", sdp.RecordOff, sdp.PrefPause},
		{"a=recordpref:off\r\n", "a=recordpref:nopreference\r\n", "", sdp.PrefNone},
		{"a=recordpref:on\r\n", "", "", sdp.PrefOn},
		{"a=record:pause\r\na=recordpref:paused\r\n", "a=record:foo\r\na=recordpref\r\n", "", ""},
	} {
		s := text(c.session, c.media)
		if got := s.Media()[0].Record(); got != c.record {
			t.Errorf("%q %q: record %q, want %q", c.session, c.media, got, c.record)
		}
		if got := s.RecordPref(); got != c.pref {
			t.Errorf("%q %q: recordpref %q, want %q", c.session, c.media, got, c.pref)
		}
		if said := strings.Contains(c.session+c.media, "a=record:"); s.SetRecord(sdp.RecordOn) == said {
			t.Errorf("%q %q: SetRecord", c.session, c.media)
		} else if !said && !strings.Contains(string(s.Bytes()), "t=0 0\r\n"+c.session+"a=record:on\r\nm=audio") {
			t.Errorf("set in\n%s", s.Bytes())
		}
	}
}

func TestRaiseVersion(t *testing.T) {
	for origin, want := range map[string]string{
		"- 1 2 IN IP4 192.0.2.1":                    "- 1 5 IN IP4 192.0.2.1",
		"John Q 3 3 IN IP6 2001:db8::1":             "John Q 3 6 IN IP6 2001:db8::1",
		"- 12 9 IN  IP4 h ":                         "- 12 12 IN  IP4 h ",
		"- 1 x IN IP4 h":                            "",
		"- 1 18446744073709551615 IN IP4 192.0.2.1": "",
		"- 1 2": "",
	} {
		s := parse(t, "v=0\r\no="+origin+"\r\ns=-\r\n")
		if got := s.RaiseVersion(3); got != (want != "") {
			t.Errorf("%q: %v", origin, got)
		}
		if want == "" {
			want = origin
		}
		if !strings.Contains(string(s.Bytes()), "\r\no="+want+"\r\n") {
			t.Errorf("%q became\n%s", origin, s.Bytes())
		}
	}
}
