package sip

import (
	"math/bits"
	"strings"
)

// known is a header field that this package itself has to look at.
type known uint16

// Bits, so that a set of them is one number.
const (
	knownVia known = 1 << iota
	knownFrom
	knownTo
	knownCallID
	knownCSeq
	knownMaxForwards
	knownContact
	knownContentLength
	knownRecordRoute
	knownTimestamp
)

// bit gives the number of a single field's bit.
func (k known) bit() int { return bits.TrailingZeros16(uint16(k)) }

// knownName classifies a field name in either form; 0 for all others. The length settles most of them without a
// comparison.
func knownName(name string) known {
	name = LongName(name)
	switch len(name) {
	case 2:
		return knownIf(name, "To", knownTo)
	case 3:
		return knownIf(name, "Via", knownVia)
	case 4:
		return knownIf(name, "From", knownFrom) | knownIf(name, "CSeq", knownCSeq)
	case 7:
		return knownIf(name, "Call-ID", knownCallID) | knownIf(name, "Contact", knownContact)
	case 9:
		return knownIf(name, "Timestamp", knownTimestamp)
	case 12:
		return knownIf(name, "Max-Forwards", knownMaxForwards) | knownIf(name, "Record-Route", knownRecordRoute)
	case 14:
		return knownIf(name, "Content-Length", knownContentLength)
	}
	return 0
}

func knownIf(name, want string, kind known) known {
	if name == want || strings.EqualFold(name, want) {
		return kind
	}
	return 0
}
