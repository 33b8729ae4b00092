package sdp

// Direction is a media direction from the view of the description's author
// (RFC 8866 §6.7).
type Direction string

// The directions.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

// Sends reports whether the author sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Recvs reports whether the author is willing to receive.
func (d Direction) Recvs() bool { return d == SendRecv || d == RecvOnly }

// Reverse is the same direction from the view of the other side.
func (d Direction) Reverse() Direction {
	switch d {
	case SendOnly:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	}
	return d
}

// direction puts the two halves together.
func direction(sends, recvs bool) Direction {
	switch {
	case sends && recvs:
		return SendRecv
	case sends:
		return SendOnly
	case recvs:
		return RecvOnly
	}
	return Inactive
}

// Direction returns the direction of the section: its own attribute, else the
// session's, else sendrecv. The hold of RFC 2543, a connection address of zero,
// takes the willingness to receive away (RFC 3264 §8.4); port 0 is inactive.
func (m *Media) Direction() Direction {
	if m.Port == 0 {
		return Inactive
	}
	d := findDirection(m.lines)
	if d == "" {
		d = m.session.dir
	}
	if d == "" {
		d = SendRecv
	}
	if m.ConnIsZero() {
		d = direction(d.Sends(), false)
	}
	return d
}

// findDirection returns the first direction attribute of the lines, "" if there
// is none.
func findDirection(lines []line) Direction {
	for _, l := range lines {
		name, _, ok := l.attr()
		if !ok {
			continue
		}
		switch d := Direction(name); d {
		case SendRecv, SendOnly, RecvOnly, Inactive:
			return d
		}
	}
	return ""
}

// Sending tells who sends after an exchange of these two sections, the
// offerer's and the answerer's: each side sends if it wants to and the other
// is willing to receive (RFC 3264 §6.1). Nil sections send nothing.
func Sending(offer, answer *Media) (offerer, answerer bool) {
	if offer == nil || answer == nil {
		return false, false
	}
	o, a := offer.Direction(), answer.Direction()
	return o.Sends() && a.Recvs(), a.Sends() && o.Recvs()
}
