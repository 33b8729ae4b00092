package forker

import "encoding/binary"

// The forms of a header extension that holds elements (RFC 8285 §4.2, §4.3), by
// what its first 16 bits say; of the two-byte form the last four are the application's.
const (
	oneByteForm = 0xbede
	twoByteForm = 0x1000
	twoByteMask = 0xfff0

	paddingID = 0
	stopID    = 15 // in the one-byte form: nothing is read behind it
)

// MaxExtensionID is the largest identifier that fits either form of a header
// extension (RFC 8285 §4.2).
const MaxExtensionID = 14

// extensionIDs renumbers the elements of header extensions: by identifier, the one
// to write; 0: it is left out.
type extensionIDs [256]uint8

// set replaces what is renumbered. Identifiers that do not fit are left out.
func (ids *extensionIDs) set(to map[uint8]uint8) {
	*ids = extensionIDs{}
	for id, n := range to {
		if id != paddingID && n <= MaxExtensionID {
			ids[id] = n
		}
	}
}

// apply renumbers the elements of the RTP packet b, whose header has been read, in place and in
// the form that they have. Where none is left, or the form is another, the packet
// has no extension any more. What stands before the payload moves up to it.
func (ids *extensionIDs) apply(b []byte) []byte {
	if !extended(b) {
		return b
	}
	fixed := rtpHeaderSize + 4*int(b[0]&0x0f)
	form := binary.BigEndian.Uint16(b[fixed:])
	block := b[fixed+4:][:4*int(binary.BigEndian.Uint16(b[fixed+2:]))]
	n := 0
	switch {
	case form == oneByteForm:
		n = ids.oneByte(block)
	case form&twoByteMask == twoByteForm:
		n = ids.twoByte(block)
	}
	if n == 0 {
		return withoutExtension(b)
	}
	size := (n + 3) &^ 3
	clear(block[n:size])
	binary.BigEndian.PutUint16(b[fixed+2:], uint16(size/4))
	spare := len(block) - size
	copy(b[spare:], b[:fixed+4+size])
	return b[spare:]
}

// oneByte closes the elements up that are kept and gives their length.
func (ids *extensionIDs) oneByte(block []byte) (n int) {
	for at := 0; at < len(block); {
		id, size := block[at]>>4, 2+int(block[at]&0x0f)
		switch {
		case block[at] == paddingID:
			at++
			continue
		case id == paddingID || id == stopID || at+size > len(block):
			return n
		}
		if to := ids[id]; to != 0 {
			copy(block[n:], block[at:at+size])
			block[n] = to<<4 | block[n]&0x0f
			n += size
		}
		at += size
	}
	return n
}

// twoByte is oneByte for the other form.
func (ids *extensionIDs) twoByte(block []byte) (n int) {
	for at := 0; at < len(block); {
		if block[at] == paddingID {
			at++
			continue
		}
		if at+2 > len(block) || at+2+int(block[at+1]) > len(block) {
			return n
		}
		size := 2 + int(block[at+1])
		if to := ids[block[at]]; to != 0 {
			copy(block[n:], block[at:at+size])
			block[n] = to
			n += size
		}
		at += size
	}
	return n
}

// extensions are the header extensions that a tap keeps (Tap.SetExtensions).
// Guarded by the relay's mutex.
type extensions struct {
	from    extensionIDs // the call's identifiers → ours
	taken   extensionIDs // ours → the same, of those that the recorder has taken
	scratch []byte
}

// keep makes a copy of the packet b, which other taps have too, with our identifiers.
func (x *extensions) keep(b []byte) []byte {
	x.scratch = append(x.scratch[:0], b...)
	return x.from.apply(x.scratch)
}

// pass leaves in b, in place, what the recorder has taken.
func (x *extensions) pass(b []byte) []byte {
	if x == nil {
		return b
	}
	return x.taken.apply(b)
}

// again is pass for a packet that must stay as it is.
func (x *extensions) again(b []byte) []byte {
	if x == nil || !extended(b) {
		return b
	}
	x.scratch = append(x.scratch[:0], b...)
	return x.taken.apply(x.scratch)
}

// SetExtensions has copies keep header extensions (RFC 8285) of the source: from
// gives for its identifiers ours, 1 to MaxExtensionID, which stay for the life of
// the tap. What is not in it is left out, and so is, until TakeExtensions, what a
// recorder has not taken. Packets that are made here, of silence, beeps, a mix or
// another codec, have none. It replaces what was set before; an empty map undoes
// it, as it is in the beginning: then no copy has an extension.
func (t *Tap) SetExtensions(from map[uint8]uint8) {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	if t.extensions == nil {
		if len(from) == 0 {
			return
		}
		t.extensions = &extensions{}
	}
	t.extensions.from.set(from)
}

// TakeExtensions tells which of our identifiers the recorder has taken.
func (t *Tap) TakeExtensions(ours []uint8) {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	if t.extensions == nil {
		if len(ours) == 0 {
			return
		}
		t.extensions = &extensions{}
	}
	taken := make(map[uint8]uint8, len(ours))
	for _, id := range ours {
		taken[id] = id
	}
	t.extensions.taken.set(taken)
}
