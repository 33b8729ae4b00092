package trace

import (
	"bytes"
	"strconv"
)

// kind is what a message means to the life of its dialog.
type kind int

const (
	other kind = iota
	invite
	accepted // 2xx of an INVITE
	refused  // final refusal of an INVITE; a challenge too, until the next INVITE
	bye
)

// CallID is the Call-ID of a message, a part of raw; nil when it has none.
func CallID(raw []byte) []byte {
	id, _ := scan(raw)
	return id
}

// scan finds the Call-ID of a message and what it means, without reading more
// of its header than that takes.
func scan(raw []byte) (callID []byte, k kind) {
	raw = bytes.TrimLeft(raw, "\r\n")
	first, rest, _ := bytes.Cut(raw, []byte("\n"))
	status := 0
	switch {
	case bytes.HasPrefix(first, []byte("INVITE ")):
		k = invite
	case bytes.HasPrefix(first, []byte("BYE ")):
		k = bye
	case bytes.HasPrefix(first, []byte("SIP/2.0 ")) && len(first) >= 11:
		status, _ = strconv.Atoi(string(first[8:11]))
	}
	outcome := status >= 200 // its CSeq says of what
	for len(rest) > 0 && (callID == nil || outcome) {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			break
		}
		switch line[0] | 0x20 {
		case 'i', 'c': // Call-ID, its short form, CSeq
		default:
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		name, value = bytes.TrimSpace(name), bytes.TrimSpace(value)
		switch {
		case callID == nil && (bytes.EqualFold(name, []byte("call-id")) || bytes.EqualFold(name, []byte("i"))):
			callID = value
		case outcome && bytes.EqualFold(name, []byte("cseq")):
			outcome = false
			switch {
			case !bytes.HasSuffix(value, []byte("INVITE")):
			case status < 300:
				k = accepted
			default:
				k = refused
			}
		}
	}
	return callID, k
}
