package sdp

import (
	"strconv"
	"strings"
)

// Record is the value of a=record (RFC 7866 §7.1.2).
type Record string

// The values of a=record.
const (
	RecordOn     Record = "on"
	RecordOff    Record = "off"
	RecordPaused Record = "paused"
)

// RecordPref is the value of a=recordpref (RFC 7866 §7.1.3). Mind that it pauses
// where Record is paused.
type RecordPref string

// The values of a=recordpref.
const (
	PrefOn    RecordPref = "on"
	PrefOff   RecordPref = "off"
	PrefPause RecordPref = "pause"
	PrefNone  RecordPref = "nopreference"
)

// Record is what the description says of being recorded, "" when it says
// nothing that is known: the section's own word before the session's (RFC 7866
// §7.1.2).
func (m *Media) Record() Record {
	for _, lines := range [][]line{m.lines, m.session.lines} {
		if v, ok := attr(lines, "record"); ok {
			switch r := Record(strings.TrimSpace(v)); r {
			case RecordOn, RecordOff, RecordPaused:
				return r
			}
		}
	}
	return ""
}

// RecordPref is the wish of whose description it is: that of the first section
// that has one, else the session's; "" for none that is known.
func (s *Session) RecordPref() RecordPref {
	for _, m := range s.media {
		if p := pref(m.lines); p != "" {
			return p
		}
	}
	return pref(s.lines)
}

func pref(lines []line) RecordPref {
	v, _ := attr(lines, "recordpref")
	switch p := RecordPref(strings.TrimSpace(v)); p {
	case PrefOn, PrefOff, PrefPause, PrefNone:
		return p
	}
	return ""
}

// SetRecord says at session level that the call is recorded, or not. A
// description that says something itself, of another recording, keeps it: then
// SetRecord is false.
func (s *Session) SetRecord(r Record) bool {
	if len(s.lines) == 0 {
		return false
	}
	for _, m := range s.media {
		if _, ok := attr(m.lines, "record"); ok {
			return false
		}
	}
	if _, ok := attr(s.lines, "record"); ok {
		return false
	}
	last := &s.lines[len(s.lines)-1]
	l := line{text: "a=record:" + string(r), eol: last.eol}
	if last.eol == noEnding {
		last.eol = s.eol()
	}
	s.lines = append(s.lines, l)
	s.index()
	return true
}

// RaiseVersion adds n to the version in the o= line. It is false, and nothing
// has changed, where that is no number that could be raised.
func (s *Session) RaiseVersion(n uint64) bool {
	i := find(s.lines, 'o')
	if i < 0 {
		return false
	}
	old := s.Origin().Version
	v, err := strconv.ParseUint(old, 10, 64)
	if err != nil || v+n < v {
		return false
	}
	text := s.lines[i].text
	at := len(text)
	for range 4 { // version, nettype, addrtype and address are the last four fields
		text = strings.TrimRight(text, " \t")
		at = strings.LastIndexAny(text, " \t")
		text = text[:at]
	}
	whole := s.lines[i].text
	s.lines[i].text = whole[:at+1] + strconv.FormatUint(v+n, 10) + whole[at+1+len(old):]
	return true
}
