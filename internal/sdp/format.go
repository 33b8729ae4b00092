package sdp

import (
	"slices"
	"strconv"
	"strings"
)

// Format is one RTP payload type.
type Format struct {
	PT              uint8
	Name            string // encoding name; "" when the description does not tell
	Clock, Channels int    // Hz; Channels is at least 1
	Fmtp            string
}

// Aux reports a format that goes beside a codec and is none by itself:
// telephone-event (RFC 4733), comfort noise (RFC 3389), redundancy and repair.
func (f Format) Aux() bool {
	switch strings.ToLower(f.Name) {
	case "telephone-event", "tone", "cn", "red", "rtx", "ulpfec", "flexfec-03":
		return true
	}
	return false
}

// RTP returns the section's payload types in the order of its m= line, with
// what rtpmap, fmtp and RFC 3551 tell about them. It is nil for a section that
// is not RTP; formats that are no payload type, and repeated ones, are left out.
func (m *Media) RTP() []Format {
	if !m.IsRTP() {
		return nil
	}
	var at [128]uint8 // index+1 of the payload type in out
	out := make([]Format, 0, min(len(m.Formats), len(at)))
	for _, s := range m.Formats {
		pt, ok := payloadType(s)
		if !ok || at[pt] != 0 {
			continue
		}
		f := static[pt]
		f.PT, f.Channels = pt, max(f.Channels, 1)
		out = append(out, f)
		at[pt] = uint8(len(out))
	}
	for _, l := range m.lines {
		name, value, ok := l.attr()
		isMap := strings.EqualFold(name, "rtpmap")
		if !ok || !isMap && !strings.EqualFold(name, "fmtp") {
			continue
		}
		end := skip(value, 0, false)
		pt, ok := payloadType(value[:end])
		if !ok || at[pt] == 0 {
			continue
		}
		f, rest := &out[at[pt]-1], strings.TrimSpace(value[end:])
		if isMap {
			f.mapTo(rest)
		} else {
			f.addFmtp(rest)
		}
	}
	return out
}

// HasRTP tells whether there is any in RTP.
func (m *Media) HasRTP() bool {
	return m.IsRTP() && slices.ContainsFunc(m.Formats, func(s string) bool {
		_, ok := payloadType(s)
		return ok
	})
}

// payloadType reads a payload type number, 0–127.
func payloadType(s string) (uint8, bool) {
	n := uint8(0)
	for i := range len(s) {
		digit := s[i] - '0'
		if digit > 9 || n > 12 || n == 12 && digit > 7 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, s != ""
}

// mapTo applies an rtpmap value, "name/clock[/channels]" (RFC 8866 §6.6). What
// cannot be read leaves the static meaning.
func (f *Format) mapTo(v string) {
	name, rest, clocked := strings.Cut(v, "/")
	if name == "" {
		return
	}
	rate, rest, several := strings.Cut(rest, "/")
	clock := 8000
	if clocked {
		n, err := strconv.ParseUint(strings.TrimSpace(rate), 10, 31)
		if err != nil || n == 0 {
			return
		}
		clock = int(n)
	}
	f.Name, f.Clock, f.Channels = strings.TrimSpace(name), clock, 1
	if several {
		channels, _, _ := strings.Cut(rest, "/")
		if n, err := strconv.ParseUint(strings.TrimSpace(channels), 10, 8); err == nil && n > 0 {
			f.Channels = int(n)
		}
	}
}

// addFmtp joins several fmtp lines of one payload type.
func (f *Format) addFmtp(v string) {
	switch {
	case f.Fmtp == "":
		f.Fmtp = v
	case v != "":
		f.Fmtp += ";" + v
	}
}

// Negotiated returns what each side may send after an exchange of these two
// sections, whether or not it sends now: the formats both have, each with the
// payload type of the *other* side's description, for that is what the other
// side wants to receive (RFC 3264 §5.1, §6.1). The lists are in the order of
// the descriptions they come from; telephone-event and comfort noise are kept,
// and behind RED stands the codec in it, also where only its fmtp names that.
// Both are nil when a section is nil, disabled, or not RTP.
func Negotiated(offer, answer *Media) (offererSends, answererSends []Format) {
	if offer == nil || answer == nil || offer.Port == 0 || answer.Port == 0 {
		return nil, nil
	}
	o, a := offer.RTP(), answer.RTP()
	pairs := pair(o, a)
	wanted := make([]bool, len(a))
	for i, j := range pairs {
		if j >= 0 {
			answererSends = append(answererSends, o[i])
			wanted[j] = true
		}
	}
	for j, ok := range wanted {
		if ok {
			offererSends = append(offererSends, a[j])
		}
	}
	return withPrimaries(offererSends, answer, offer), withPrimaries(answererSends, offer, answer)
}

// withPrimaries adds to what is sent to a section the codecs in its RED (RFC 2198 §5)
// that are not there by themselves. Neither m= line need list them: an rtpmap of the one
// or the other or RFC 3551 tells. In text there is none but T.140.
func withPrimaries(sent []Format, to, from *Media) []Format {
	var told, heard []Format // by payload type, read once however many REDs there are
	for i := 0; i < len(sent); i++ {
		if !strings.EqualFold(sent[i].Name, "red") {
			continue
		}
		first, _, _ := strings.Cut(sent[i].Fmtp, "/")
		pt, ok := payloadType(strings.TrimSpace(first))
		if !ok || slices.ContainsFunc(sent, func(f Format) bool { return f.PT == pt }) {
			continue
		}
		if told == nil {
			told, heard = to.every(), from.every()
		}
		f := told[pt]
		if f.Name == "" {
			f = heard[pt]
		}
		if f.Name == "" && to.Kind == "text" {
			f.Name, f.Clock = "t140", sent[i].Clock // RFC 4103 §5
		}
		if f.Name != "" && f.Clock == sent[i].Clock {
			sent = slices.Insert(sent, i+1, f)
		}
	}
	return sent
}

// every is what a section tells of all payload types, be they listed or not.
func (m *Media) every() []Format {
	all := Media{Proto: m.Proto, lines: m.lines}
	for pt := range 128 {
		all.Formats = append(all.Formats, strconv.Itoa(pt))
	}
	return all.RTP()
}

// pair finds for each format of a the one of b that is the same codec, -1 if
// there is none. A format of b is used once. Where several would do, one with
// the same number goes before one with the same parameters, and that before the
// first.
func pair(a, b []Format) []int {
	pairs := make([]int, len(a))
	for i := range pairs {
		pairs[i] = -1
	}
	used := make([]bool, len(b))
	for _, better := range []func(x, y Format) bool{
		func(x, y Format) bool { return x.PT == y.PT },
		func(x, y Format) bool { return x.Fmtp == y.Fmtp },
		func(Format, Format) bool { return true },
	} {
		for i := range a {
			for j := range b {
				if pairs[i] < 0 && !used[j] && better(a[i], b[j]) && sameCodec(a[i], b[j]) {
					pairs[i], used[j] = j, true
				}
			}
		}
	}
	return pairs
}

// sameCodec compares by name, clock and channels. Where one side does not say
// what a payload type is, or where a static one has an odd clock (G722/16000 is
// common), the number decides.
func sameCodec(x, y Format) bool {
	if x.Name == "" || y.Name == "" {
		return x.PT == y.PT
	}
	if !strings.EqualFold(x.Name, y.Name) {
		return false
	}
	if _, ok := static[x.PT]; ok && x.PT == y.PT {
		return true
	}
	return x.Clock == y.Clock && max(x.Channels, 1) == max(y.Channels, 1)
}
