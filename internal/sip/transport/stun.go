package transport

import (
	"encoding/binary"
	"net/netip"
)

// A phone behind NAT keeps its way to us open, and learns when it has moved, by
// STUN on the SIP port (RFC 5626 §4.4.2, RFC 5389).
const (
	stunHeader         = 20
	stunCookie         = 0x2112A442
	stunBindingRequest = 0x0001
	stunBindingSuccess = 0x0101
	stunXORMapped      = 0x0020
)

// stunAnswer is the answer to a STUN binding request, nil for anything else. It
// is at most 24 octets longer than the shortest question, so that it is of no
// use against the owner of a forged address. Attributes are not looked at:
// keep-alives bear none that must be understood (RFC 5626 §8).
func stunAnswer(b []byte, from netip.AddrPort) []byte {
	if len(b) < stunHeader || binary.BigEndian.Uint16(b) != stunBindingRequest ||
		binary.BigEndian.Uint32(b[4:]) != stunCookie || int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader {
		return nil
	}
	addr := from.Addr().Unmap()
	ip, family := addr.AsSlice(), byte(1)
	if addr.Is6() {
		family = 2
	}
	out := binary.BigEndian.AppendUint16(nil, stunBindingSuccess)
	out = binary.BigEndian.AppendUint16(out, uint16(8+len(ip)))
	out = append(out, b[4:stunHeader]...) // cookie and transaction
	out = binary.BigEndian.AppendUint16(out, stunXORMapped)
	out = binary.BigEndian.AppendUint16(out, uint16(4+len(ip)))
	out = append(out, 0, family)
	out = binary.BigEndian.AppendUint16(out, from.Port()^uint16(stunCookie>>16))
	for i := range ip {
		out = append(out, ip[i]^b[4+i]) // RFC 5389 §15.2: cookie, for IPv6 then the transaction
	}
	return out
}
