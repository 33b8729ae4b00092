package config

import "strings"

// Profile names a set of habits of a recorder.
type Profile string

// The profiles.
const (
	ProfileRFC      Profile = "rfc"
	ProfileOpenSIPS Profile = "opensips"
)

// Dialect is how a recorder is spoken to where that is not as the RFCs say.
type Dialect struct {
	LabelShift                            int    // added to the labels, which begin with 1
	MetadataType, ContactTag              string // "": as the RFCs say
	NoRequire, SRSInFrom, CallIDAsSession bool
}

// The values of the RFCs.
const (
	rfcMetadataType = "application/rs-metadata+xml"
	rfcContactTag   = "+sip.src"
)

// dialect is the profile and the knobs as they are read, in whatever order.
type dialect struct {
	profile Profile
	knobs   []func(*Dialect)
}

// dialect puts the knobs upon the profile.
func (s *dialect) dialect() (d Dialect) {
	if s.profile == ProfileOpenSIPS {
		d = Dialect{LabelShift: -1, SRSInFrom: true, CallIDAsSession: true}
	}
	for _, set := range s.knobs {
		set(&d)
	}
	return d
}

func (s *dialect) set(f func(*Dialect)) { s.knobs = append(s.knobs, f) }

func (s *dialect) firstLabel(c cursor) {
	if n, ok := c.integer(0, 100000); ok {
		s.set(func(d *Dialect) { d.LabelShift = n - 1 })
	}
}

func (s *dialect) metadataType(c cursor) {
	if v, ok := c.oneOf(rfcMetadataType, "application/rs-metadata"); ok {
		s.set(func(d *Dialect) { d.MetadataType = unless(v, rfcMetadataType) })
	}
}

func (s *dialect) contactTag(c cursor) {
	if v, ok := c.oneOf(rfcContactTag, "src"); ok {
		s.set(func(d *Dialect) { d.ContactTag = unless(v, rfcContactTag) })
	}
}

func (s *dialect) require(c cursor) {
	if v, ok := c.boolean(); ok {
		s.set(func(d *Dialect) { d.NoRequire = !v })
	}
}

// unless is v, or "" where that is the usual.
func unless(v, usual string) string {
	if v == usual {
		return ""
	}
	return v
}

// words says what is not as the RFCs say.
func (d Dialect) words() string {
	var parts []string
	for _, p := range []struct {
		on   bool
		what string
	}{
		{d.SRSInFrom, "From names the recorder"},
		{d.LabelShift != 0, "other labels"},
		{d.CallIDAsSession, "the Call-ID in sipSessionID"},
		{d.MetadataType != "", d.MetadataType},
		{d.ContactTag != "", "Contact with " + d.ContactTag},
		{d.NoRequire, "no Require"},
	} {
		if p.on {
			parts = append(parts, p.what)
		}
	}
	return strings.Join(parts, ", ")
}
