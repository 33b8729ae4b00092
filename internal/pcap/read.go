package pcap

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// A capture is pcap (draft-ietf-opsawg-pcap) or pcapng (draft-ietf-opsawg-pcapng). Packets are copied out of it one after the other; what a
// length promises and the file does not hold ends the reading, not the program.

// ErrDamaged: a capture breaks off or contradicts itself before anything could be read.
var ErrDamaged = errors.New("a capture that breaks off or is damaged")

// maxPackets bounds the packets that are looked at.
const maxPackets = 2_000_000

// Message is one SIP message of a capture.
type Message struct {
	Data     []byte
	Proto    string // udp or tcp
	From, To netip.AddrPort
	Packet   int // the packet, from 1, with which it was whole
}

// Is reports whether b begins as a pcap or pcapng file does.
func Is(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	switch binary.BigEndian.Uint32(b) {
	case 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a:
		return true
	}
	return false
}

// Read gives the SIP messages of a capture in order to each: those whose first
// line wanted takes. Fragments and TCP segments are put together. What can be
// read before a capture breaks off counts; the error is ErrDamaged.
func Read(b []byte, wanted func(firstLine string) bool, each func(Message)) error {
	if !Is(b) {
		return ErrDamaged
	}
	f := newFlows(wanted, each)
	read := readPcap
	if binary.BigEndian.Uint32(b) == 0x0a0d0d0a {
		read = readPcapNG
	}
	err := read(b, f.packet)
	if f.seen > 0 {
		err = nil // what was read before it broke off counts
	}
	f.finish()
	return err
}

func readPcap(b []byte, packet func(link uint32, data []byte)) error {
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 0xd4 || b[0] == 0x4d {
		order = binary.LittleEndian
	}
	if len(b) < 24 {
		return ErrDamaged
	}
	link := order.Uint32(b[20:]) & 0xffff
	b = b[24:]
	for range maxPackets {
		if len(b) == 0 {
			return nil
		}
		if len(b) < 16 {
			return ErrDamaged
		}
		n := order.Uint32(b[8:])
		if uint64(n) > uint64(len(b)-16) {
			return ErrDamaged
		}
		packet(link, b[16:16+n])
		b = b[16+n:]
	}
	return nil
}

func readPcapNG(b []byte, packet func(link uint32, data []byte)) error {
	var order binary.ByteOrder = binary.LittleEndian
	var links []uint32
	for range maxPackets {
		if len(b) == 0 {
			return nil
		}
		if len(b) < 12 {
			return ErrDamaged
		}
		if binary.BigEndian.Uint32(b) == 0x0a0d0d0a { // a section: its byte order, its interfaces
			order, links = binary.LittleEndian, nil
			if binary.BigEndian.Uint32(b[8:]) == 0x1a2b3c4d {
				order = binary.BigEndian
			}
		}
		kind, n := order.Uint32(b), order.Uint32(b[4:])
		if n < 12 || uint64(n) > uint64(len(b)) {
			return ErrDamaged
		}
		body := b[8 : n-4]
		switch {
		case kind == 1 && len(body) >= 2:
			links = append(links, uint32(order.Uint16(body)))
		case kind == 6 && len(body) >= 20: // enhanced packet
			if size, i := order.Uint32(body[12:]), order.Uint32(body); uint64(size) <= uint64(len(body)-20) && uint64(i) < uint64(len(links)) {
				packet(links[i], body[20:20+size])
			}
		case kind == 3 && len(body) >= 4 && len(links) > 0: // simple packet
			packet(links[0], body[4:])
		}
		b = b[n:]
	}
	return nil
}

// network strips the link layer; nil for what is no IP.
func network(link uint32, b []byte) []byte {
	switch link {
	case 1: // Ethernet, with VLAN tags
		at := 12
		for at+4 <= len(b) && (binary.BigEndian.Uint16(b[at:]) == 0x8100 || binary.BigEndian.Uint16(b[at:]) == 0x88a8) {
			at += 4
		}
		return after(b, at+2)
	case 113: // Linux cooked
		return after(b, 16)
	case 276: // the same, version 2
		return after(b, 20)
	case 0, 108: // loopback of BSD
		return after(b, 4)
	case 12, 14, 101, 228, 229: // bare IP
		return b
	}
	return nil
}

func after(b []byte, n int) []byte {
	if len(b) < n {
		return nil
	}
	return b[n:]
}
