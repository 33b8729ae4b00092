package transport_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"sidetrack/internal/sip/transport"
)

// A binding request is answered with the address it came from, in both families; SIP goes on beside it.
func TestSTUNIsAnswered(t *testing.T) {
	for _, url := range []string{"udp://127.0.0.1:0", "udp://[::1]:0"} {
		r := newRig(t, transport.Config{})
		c := dialled(t, r.listen(url))
		question := "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"
		fmt.Fprint(c, question)
		b := []byte(read(t, c))
		if len(b) < 32 || string(b[:2]) != "\x01\x01" || string(b[4:20]) != question[4:] || int(binary.BigEndian.Uint16(b[2:])) != len(b)-20 {
			t.Fatalf("%s: answer %x", url, b)
		}
		port := binary.BigEndian.Uint16(b[26:]) ^ 0x2112
		ip := b[28:]
		for i := range ip {
			ip[i] ^= question[4+i]
		}
		addr, _ := netip.AddrFromSlice(ip)
		if got := netip.AddrPortFrom(addr, port); got != addrPort(c.LocalAddr()) {
			t.Errorf("%s: told %v, it is %v", url, got, c.LocalAddr())
		}
		fmt.Fprint(c, request("after", "SIP/2.0/UDP x;branch=z9hG4bKx", ""))
		if got := r.next().Msg.CallID(); got != "after" {
			t.Errorf("got %q", got)
		}
	}
}

// Responses, indications and broken requests get no answer: two proxies would answer each other for ever.
func TestSTUNJunkIsNotAnswered(t *testing.T) {
	r := newRig(t, transport.Config{})
	c := dialled(t, r.listen("udp://127.0.0.1:0"))
	for _, junk := range []string{
		"\x01\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl", "\x00\x11\x00\x00\x21\x12\xa4\x42abcdefghijkl",
		"\x00\x01\x00\x04\x21\x12\xa4\x42abcdefghijkl", "\x00\x01\x00\x00\x21\x12\xa4\x42abc", "\x00\x01\x00\x00\x00\x00\x00\x00abcdefghijkl",
	} {
		fmt.Fprint(c, junk)
	}
	fmt.Fprint(c, "\x00\x01\x00\x00\x21\x12\xa4\x42ABCDEFGHIJKL")
	if got := read(t, c); got[8:20] != "ABCDEFGHIJKL" {
		t.Errorf("answered %x", got)
	}
}
