package hep

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Kind says what a payload is: the protocol type of HEPv3.
type Kind uint8

// The kinds that we send.
const (
	SIP  Kind = 1
	RTCP Kind = 5 // as JSON, in Homer's words
	Log  Kind = 100
)

// String is the kind as metrics name it.
func (k Kind) String() string {
	switch k {
	case SIP:
		return "sip"
	case RTCP:
		return "rtcp"
	default:
		return "verdict"
	}
}

// Packet is one message with its circumstances.
type Packet struct {
	Kind     Kind
	At       time.Time
	From, To netip.AddrPort
	Stream   bool   // it went over TCP or TLS
	CallID   string // of the call; "": none is told
	Payload  []byte
}

// Chunk types of the generic vendor.
const (
	chunkFamily      = 0x01
	chunkProtocol    = 0x02
	chunkFrom4       = 0x03
	chunkTo4         = 0x04
	chunkFrom6       = 0x05
	chunkTo6         = 0x06
	chunkFromPort    = 0x07
	chunkToPort      = 0x08
	chunkSeconds     = 0x09
	chunkMicros      = 0x0a
	chunkKind        = 0x0b
	chunkCaptureID   = 0x0c
	chunkPassword    = 0x0e
	chunkPayload     = 0x0f
	chunkCorrelation = 0x11
	chunkNode        = 0x13
)

const (
	familyIPv4 = 2
	familyIPv6 = 10
	protoTCP   = 6
	protoUDP   = 17

	headSize  = 6
	chunkHead = 6
	// maxPacket is what a datagram over IPv4 holds; the length itself could tell
	// of a few bytes more.
	maxPacket = 65507
)

// appendPacket adds p to b; false when it is too long for one packet.
func (r *Receiver) appendPacket(b []byte, p Packet) ([]byte, bool) {
	begin := len(b)
	be := binary.BigEndian
	b = append(b, "HEP3\x00\x00"...)
	from, to := p.From.Addr().Unmap(), p.To.Addr().Unmap()
	protocol := byte(protoUDP)
	if p.Stream {
		protocol = protoTCP
	}
	if four(from) && four(to) {
		b = chunk(b, chunkFamily, familyIPv4)
		b = chunk(b, chunkProtocol, protocol)
		b = chunk(b, chunkFrom4, bytes4(from)...)
		b = chunk(b, chunkTo4, bytes4(to)...)
	} else {
		b = chunk(b, chunkFamily, familyIPv6)
		b = chunk(b, chunkProtocol, protocol)
		b = chunk(b, chunkFrom6, bytes16(from)...)
		b = chunk(b, chunkTo6, bytes16(to)...)
	}
	b = chunk(b, chunkFromPort, be.AppendUint16(nil, p.From.Port())...)
	b = chunk(b, chunkToPort, be.AppendUint16(nil, p.To.Port())...)
	b = chunk(b, chunkSeconds, be.AppendUint32(nil, uint32(p.At.Unix()))...)
	b = chunk(b, chunkMicros, be.AppendUint32(nil, uint32(p.At.Nanosecond()/1000))...)
	b = chunk(b, chunkKind, byte(p.Kind))
	b = chunk(b, chunkCaptureID, be.AppendUint32(nil, r.ID)...)
	for _, text := range []struct {
		kind  uint16
		value string
	}{{chunkNode, r.Node}, {chunkPassword, r.Password}, {chunkCorrelation, p.CallID}} {
		if text.value != "" {
			b = chunk(b, text.kind, []byte(text.value)...)
		}
	}
	if len(b)-begin+chunkHead+len(p.Payload) > maxPacket {
		return b[:begin], false
	}
	b = chunk(b, chunkPayload, p.Payload...)
	be.PutUint16(b[begin+4:], uint16(len(b)-begin))
	return b, true
}

// chunk adds a chunk of the generic vendor.
func chunk(b []byte, kind uint16, value ...byte) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, uint32(kind))
	b = be.AppendUint16(b, uint16(chunkHead+len(value)))
	return append(b, value...)
}

// four tells whether an address goes into a packet of IPv4; one that is not known
// does.
func four(a netip.Addr) bool { return a.Is4() || !a.IsValid() }

func bytes4(a netip.Addr) []byte {
	if !a.IsValid() {
		a = netip.IPv4Unspecified()
	}
	out := a.As4()
	return out[:]
}

func bytes16(a netip.Addr) []byte {
	if !a.IsValid() {
		a = netip.IPv6Unspecified()
	}
	out := a.As16()
	return out[:]
}
