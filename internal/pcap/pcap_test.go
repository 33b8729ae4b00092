package pcap_test

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"sidetrack/internal/pcap"
)

// The bytes of a capture, IPv4 and IPv6, with checksums as other programs compute them.
func TestCapture(t *testing.T) {
	var out bytes.Buffer
	w := pcap.NewWriter(&out)
	at := time.Unix(1, 2000)
	if err := w.Write(at, netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5070"), []byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(at, netip.MustParseAddrPort("[2001:db8::1]:5060"), netip.MustParseAddrPort("[2001:db8::2]:5070"), []byte("abcd")); err != nil {
		t.Fatal(err)
	}
	got := out.Bytes()
	if len(got) != 24+16+20+8+3+16+40+8+4 || !bytes.HasPrefix(got, []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0}) {
		t.Fatalf("%x", got)
	}
	four := got[24:]
	if !bytes.Equal(four[:16], []byte{1, 0, 0, 0, 2, 0, 0, 0, 31, 0, 0, 0, 31, 0, 0, 0}) {
		t.Errorf("packet header %x", four[:16])
	}
	four = four[16:47]
	if sum(four[:20]) != 0xffff || sum(append(append([]byte{0, 17, 0, 11}, four[12:20]...), four[20:]...)) != 0xffff {
		t.Errorf("checksums of %x", four)
	}
	six := got[24+16+31+16:]
	if six[0]>>4 != 6 || sum(append(append([]byte{0, 0, 0, 12, 0, 0, 0, 17}, six[8:40]...), six[40:]...)) != 0xffff {
		t.Errorf("checksum of %x", six)
	}
	if string(four[28:]) != "abc" || string(six[48:]) != "abcd" {
		t.Error("payloads")
	}
}

// A payload that fits no datagram is cut, and the capture stays readable.
func TestLargePayload(t *testing.T) {
	var out bytes.Buffer
	a := netip.MustParseAddrPort("192.0.2.1:1")
	if err := pcap.NewWriter(&out).Write(time.Now(), a, a, make([]byte, 100_000)); err != nil || out.Len() != 24+16+65535 {
		t.Errorf("%v, %d bytes", err, out.Len())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestErrorStays(t *testing.T) {
	if err := pcap.NewWriter(full{}).Write(time.Now(), netip.AddrPort{}, netip.AddrPort{}, nil); err == nil {
		t.Error("no error")
	}
}

func sum(b []byte) int {
	if len(b)%2 == 1 {
		b = append(b, 0)
	}
	s := 0
	for i := 0; i < len(b); i += 2 {
		s += int(b[i])<<8 | int(b[i+1])
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return s
}
