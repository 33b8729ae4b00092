package config

import (
	"strings"

	"sidetrack/metadata"
)

// Profile names a set of habits of a recorder.
type Profile string

// The profiles. What each sets, and how sure that is, docs/recorders.md says.
const (
	ProfileRFC        Profile = "rfc"
	ProfileOpenSIPS   Profile = "opensips"
	ProfileOracle     Profile = "oracle"
	ProfileBroadWorks Profile = "broadworks"
	ProfileMetaswitch Profile = "metaswitch"
	ProfileAudioCodes Profile = "audiocodes"
	ProfileAvaya      Profile = "avaya"
	ProfileCisco      Profile = "cisco"
	ProfileGoogle     Profile = "google"
	ProfileAmazon     Profile = "amazon"
	ProfileGenesys    Profile = "genesys"
)

// Profiles is all of them.
var Profiles = []Profile{
	ProfileRFC, ProfileOpenSIPS, ProfileOracle, ProfileBroadWorks, ProfileMetaswitch, ProfileAudioCodes,
	ProfileAvaya, ProfileCisco, ProfileGoogle, ProfileAmazon, ProfileGenesys,
}

// Dialect is how a recorder is spoken to where that is not as the RFCs say: the
// zero value is theirs, and so is "" in each field.
type Dialect struct {
	LabelShift   int                // added to the labels, which begin with 1
	LabelStep    int                // from one to the next; 0: 1
	CalleeFirst  bool               // the callee has the first label
	Labels       [2]string          // of the caller and the callee, where they are no numbers
	First        metadata.PartyRole // who has the first m-line; "": who has the first label
	MetadataType string
	ContactTag   string
	TagInside    bool // the feature tag stands within the brackets of Contact

	NoRequire, SRSInFrom, CallIDAsSession bool

	Style   metadata.Style
	Partial bool   // updates are partial documents
	Carrier string // CarrierUpdate, CarrierDocument, CarrierInfo or CarrierNone
	Last    string // LastInUpdate or LastNowhere
	Hold    string // HoldZero or HoldNone
	Streams string // StreamsTwo or StreamsMixed
}

// The values of Dialect that are not the RFCs'.
const (
	CarrierUpdate   = "update"
	CarrierDocument = "update-metadata"
	CarrierInfo     = "info"
	CarrierNone     = "none"
	LastInUpdate    = "update"
	LastNowhere     = "none"
	HoldZero        = "zero"
	HoldNone        = "none"
	StreamsTwo      = "two-sessions"
	StreamsMixed    = "mixed"
)

// The namespace of the drafts of RFC 7865, and that of the ones before.
const (
	draftNamespace = "urn:ietf:params:xml:ns:recording"
	firstNamespace = "urn:ietf:params:xml:ns:siprec"
)

const oldMetadataType = "application/rs-metadata"

// draft is a document as the drafts had it.
var draft = metadata.Style{Namespace: draftNamespace, Nested: true}

// profiles are what the clients do that recorders were made for, as far as it
// is publicly known.
var profiles = map[Profile]Dialect{
	ProfileOpenSIPS: {LabelShift: -1, SRSInFrom: true, CallIDAsSession: true},
	ProfileOracle: {Style: metadata.Style{Namespace: draftNamespace, Nested: true, DataMode: "dataMode", Times: metadata.TimesLocal},
		Last: LastNowhere},
	ProfileBroadWorks: {Style: metadata.Style{Namespace: firstNamespace, Root: "recording_metadata", Nested: true, DataMode: "dataMode", IDs: metadata.IDsURN},
		ContactTag: "src", NoRequire: true, Hold: HoldZero, Last: LastNowhere},
	ProfileMetaswitch: {Style: draft, MetadataType: oldMetadataType, Last: LastNowhere, Streams: StreamsMixed},
	ProfileAudioCodes: {Style: metadata.Style{Namespace: draftNamespace, Nested: true, IDs: metadata.IDsUUID}, MetadataType: oldMetadataType,
		ContactTag: "src", Last: LastNowhere},
	ProfileAvaya: {Style: metadata.Style{DataMode: "dataMode", Times: metadata.TimesLocal}, LabelShift: 9, LabelStep: 10, TagInside: true,
		Carrier: CarrierUpdate, Last: LastNowhere},
	ProfileCisco:   {Last: LastNowhere},
	ProfileGoogle:  {Last: LastNowhere},
	ProfileAmazon:  {CalleeFirst: true, Last: LastNowhere},
	ProfileGenesys: {Streams: StreamsTwo, Last: LastNowhere},
}

// dialect is the profile and the knobs as they are read, in whatever order.
type dialect struct {
	profile Profile
	knobs   []func(*Dialect)
}

// dialect puts the knobs upon the profile.
func (s *dialect) dialect() Dialect {
	d := profiles[s.profile]
	for _, set := range s.knobs {
		set(&d)
	}
	return d
}

// option is a word that a knob can be set to.
type option struct {
	word string
	set  func(*Dialect)
}

// oneOf reads a knob that is one of these words.
func (s *dialect) oneOf(options ...option) func(cursor) {
	return func(c cursor) {
		words := make([]string, len(options))
		for i, o := range options {
			words[i] = o.word
		}
		v, ok := c.oneOf(words...)
		for _, o := range options {
			if ok && o.word == v {
				s.knobs = append(s.knobs, o.set)
			}
		}
	}
}

// texts is oneOf for a field whose first word is the RFCs' and written as "".
func (s *dialect) texts(into func(*Dialect) *string, words ...string) func(cursor) {
	options := make([]option, len(words))
	for i, w := range words {
		value := w
		if i == 0 {
			value = ""
		}
		options[i] = option{w, func(d *Dialect) { *into(d) = value }}
	}
	return s.oneOf(options...)
}

// read reads the knobs.
func (s *dialect) read(c cursor) {
	c.read(fields{
		{"labels", s.labels},
		{"first", s.oneOf(
			option{"caller", func(d *Dialect) { d.First = metadata.Caller }}, option{"callee", func(d *Dialect) { d.First = metadata.Callee }})},
		{"metadata_type", s.texts(func(d *Dialect) *string { return &d.MetadataType }, metadata.ContentType, oldMetadataType)},
		{"contact_tag", s.oneOf(
			option{"+sip.src", func(d *Dialect) { d.ContactTag, d.TagInside = "", false }},
			option{"src", func(d *Dialect) { d.ContactTag, d.TagInside = "src", false }},
			option{"inside", func(d *Dialect) { d.ContactTag, d.TagInside = "", true }})},
		{"require_siprec", func(c cursor) {
			if v, ok := c.boolean(); ok {
				s.knobs = append(s.knobs, func(d *Dialect) { d.NoRequire = !v })
			}
		}},
		{"from", s.oneOf(
			option{"src", func(d *Dialect) { d.SRSInFrom = false }}, option{"srs", func(d *Dialect) { d.SRSInFrom = true }})},
		{"sip_session_id", s.oneOf(
			option{"session-id", func(d *Dialect) { d.CallIDAsSession = false }}, option{"call-id", func(d *Dialect) { d.CallIDAsSession = true }})},
		{"elements", s.oneOf(
			option{"rfc", func(d *Dialect) { d.Style.Nested, d.Style.Namespace, d.Style.Root = false, "", "" }},
			option{"draft", func(d *Dialect) { d.Style.Nested, d.Style.Namespace, d.Style.Root = true, draftNamespace, "" }},
			option{"siprec", func(d *Dialect) {
				d.Style.Nested, d.Style.Namespace, d.Style.Root = true, firstNamespace, "recording_metadata"
			}})},
		{"datamode", s.texts(func(d *Dialect) *string { return &d.Style.DataMode }, "datamode", "dataMode")},
		{"times", s.texts(func(d *Dialect) *string { return (*string)(&d.Style.Times) }, "milliseconds", string(metadata.TimesSeconds),
			string(metadata.TimesOffset), string(metadata.TimesLocal))},
		{"ids", s.texts(func(d *Dialect) *string { return (*string)(&d.Style.IDs) }, "base64", string(metadata.IDsURN), string(metadata.IDsUUID), string(metadata.IDsHex))},
		{"updates_by", s.texts(func(d *Dialect) *string { return &d.Carrier }, "invite", CarrierUpdate, CarrierDocument, CarrierInfo, CarrierNone)},
		{"last_document", s.texts(func(d *Dialect) *string { return &d.Last }, "bye", LastInUpdate, LastNowhere)},
		{"hold", s.texts(func(d *Dialect) *string { return &d.Hold }, "inactive", HoldZero, HoldNone)},
		{"streams", s.texts(func(d *Dialect) *string { return &d.Streams }, "separate", StreamsTwo, StreamsMixed)},
	})
}

// labels reads the labels of the caller and the callee; those of further pairs
// go on with the same distance.
func (s *dialect) labels(c cursor) {
	const want = "the caller's label and the callee's, such as [1, 2] or [a_leg, b_leg]"
	items := c.items("two labels: " + want)
	if len(items) != 2 {
		if c.n.kind == list {
			c.failf("has %d labels; write %s", len(items), want)
		}
		return
	}
	if a, b := items[0].n.text, items[1].n.text; word(a) && word(b) && a != b {
		s.knobs = append(s.knobs, func(d *Dialect) { d.Labels = [2]string{a, b} })
		return
	}
	caller, ok1 := items[0].integer(0, 1<<30)
	callee, ok2 := items[1].integer(0, 1<<30)
	switch {
	case !ok1 || !ok2:
	case caller == callee:
		c.failf("has the same label twice; write %s", want)
	default:
		s.knobs = append(s.knobs, func(d *Dialect) {
			first, second := min(caller, callee), max(caller, callee)
			d.Labels = [2]string{}
			d.LabelShift, d.LabelStep, d.CalleeFirst = first-1, second-first, callee < caller
			if d.LabelStep == 1 {
				d.LabelStep = 0
			}
		})
	}
}

// word tells whether a label is a token that is no number (RFC 4574 §4).
func word(label string) bool {
	return len(label) <= 32 && token(label) && strings.Trim(label, "0123456789") != ""
}

// updates reads whether updates tell everything.
func (s *dialect) updates(c cursor) {
	s.oneOf(option{"complete", func(d *Dialect) { d.Partial = false }}, option{"partial", func(d *Dialect) { d.Partial = true }})(c)
}

// words says what is not as the RFCs say.
func (d Dialect) words() string {
	var parts []string
	for _, p := range []struct {
		on   bool
		what string
	}{
		{d.SRSInFrom, "From names the recorder"},
		{d.LabelShift != 0 || d.LabelStep != 0 || d.CalleeFirst || d.Labels[0] != "", "other labels"},
		{d.First == metadata.Caller, "the caller first"},
		{d.First == metadata.Callee, "the callee first"},
		{d.CallIDAsSession, "the Call-ID in sipSessionID"},
		{d.MetadataType != "", d.MetadataType},
		{d.ContactTag != "" || d.TagInside, "another feature tag in Contact"},
		{d.NoRequire, "no Require"},
		{d.Style != (metadata.Style{}), "documents of another form"},
		{d.Partial, "updates tell what has changed"},
		{d.Carrier == CarrierUpdate, "updates by UPDATE"},
		{d.Carrier == CarrierDocument, "updates of the metadata alone by UPDATE"},
		{d.Carrier == CarrierInfo, "updates of the metadata alone by INFO"},
		{d.Carrier == CarrierNone, "no updates"},
		{d.Last == LastInUpdate, "the last document before the BYE"},
		{d.Last == LastNowhere, "no last document"},
		{d.Hold == HoldZero, "pauses as c=0.0.0.0"},
		{d.Hold == HoldNone, "pauses are not told"},
		{d.Streams == StreamsTwo, "a session for each party"},
		{d.Streams == StreamsMixed, "both parties mixed in one stream"},
	} {
		if p.on {
			parts = append(parts, p.what)
		}
	}
	return strings.Join(parts, ", ")
}
