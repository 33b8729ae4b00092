package sdp

import (
	"slices"
	"strconv"
	"strings"
)

// Extension is an RTP header extension that a section names (RFC 8285 §5).
type Extension struct {
	ID         int       // 1 to 255 in packets, 1 to 14 where these are of the one-byte form
	Direction  Direction // from the section's view; "": sendrecv
	URI        string    // what it means
	Attributes string    // as written, e.g. vad=on (RFC 6464)
}

// maxExtensions is how many a section may name. Real ones name some ten; each is compared
// with all others.
const maxExtensions = 64

// Extensions are the section's a=extmap lines, then those of the session whose URI
// the section does not name. What cannot be read, what comes twice, and what comes
// behind the 64th is left out.
func (m *Media) Extensions() []Extension {
	var out []Extension
	for _, lines := range [][]line{m.lines, m.session.lines} {
		for _, v := range attrs(lines, "extmap") {
			if len(out) == maxExtensions {
				return out
			}
			e, ok := readExtension(v)
			if ok && !slices.ContainsFunc(out, func(o Extension) bool { return o.URI == e.URI }) {
				out = append(out, e)
			}
		}
	}
	return out
}

// readExtension reads "ID[/direction] URI[ attributes]".
func readExtension(v string) (e Extension, ok bool) {
	f := strings.Fields(v)
	if len(f) < 2 {
		return e, false
	}
	id, dir, _ := strings.Cut(f[0], "/")
	n, err := strconv.ParseUint(id, 10, 12)
	if err != nil || n == 0 {
		return e, false
	}
	switch d := Direction(strings.ToLower(dir)); d {
	case "", SendRecv, SendOnly, RecvOnly, Inactive:
		e.Direction = d
	default:
		return e, false
	}
	e.ID, e.URI, e.Attributes = int(n), f[1], strings.Join(f[2:], " ")
	return e, true
}

// attribute is the value of the extension's line.
func (e Extension) attribute() string {
	v := "extmap:" + strconv.Itoa(e.ID)
	if e.Direction != "" {
		v += "/" + string(e.Direction)
	}
	v += " " + e.URI
	if e.Attributes != "" {
		v += " " + e.Attributes
	}
	return v
}

func (e Extension) sends() bool { return e.Direction == "" || e.Direction.Sends() }
func (e Extension) recvs() bool { return e.Direction == "" || e.Direction.Recvs() }

// NegotiatedExtensions are those that a side sends after an exchange of these two
// sections: what both name, each with the identifier that the receiver knows it by,
// which is the sender's, too, unless that was only a place in an offer of many
// (RFC 8285 §6).
func NegotiatedExtensions(sender, receiver *Media) (out []Extension) {
	if sender == nil || receiver == nil {
		return nil
	}
	said := receiver.Extensions()
	if len(said) == 0 {
		return nil
	}
	for _, e := range sender.Extensions() {
		i := slices.IndexFunc(said, func(o Extension) bool { return o.URI == e.URI })
		if i < 0 || !e.sends() || !said[i].recvs() {
			continue
		}
		if said[i].ID <= 255 {
			e.ID = said[i].ID
		}
		if e.ID <= 255 {
			out = append(out, e)
		}
	}
	return out
}

// taken are the identifiers of what we offered to send that the section m takes, by
// the same identifier (RFC 8285 §6). One that only repeats our sendonly does, as with
// the direction of a section.
func taken(offer []Extension, m *Media) (ids []uint8) {
	if len(offer) == 0 {
		return nil
	}
	said := m.Extensions()
	for _, o := range offer {
		if slices.ContainsFunc(said, func(e Extension) bool { return e.URI == o.URI && e.ID == o.ID && e.Direction != Inactive }) {
			ids = append(ids, uint8(o.ID))
		}
	}
	return ids
}
