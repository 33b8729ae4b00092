//go:build interop

package interop_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sidetrack/forker"
)

// The silence that stands for a masked G.729 stream is silence to FFmpeg's decoder, in the middle of a stream.
func TestFFmpegHearsNothingOfMaskedG729(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed; it brings a hundred packages and is asked only where it is there already")
	}
	host := netip.MustParseAddr("127.0.0.1")
	e, err := forker.New(forker.Config{Listen: host, PortMin: 26100, PortMax: 26199})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	socket := func() *net.UDPConn {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	caller, srs := socket(), socket()
	addr := func(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }
	relay := e.Open()
	if err := relay.SetStreams(1); err != nil {
		t.Fatal(err)
	}
	relay.SetRemote(forker.SideA, 0, forker.Remote{RTP: addr(caller), RTPKind: true, Sends: true})
	tap, err := relay.Fork(0, forker.AB, forker.TapConfig{Label: "1"})
	if err != nil {
		t.Fatal(err)
	}
	tap.SetCodecs(map[uint8]forker.Codec{18: {Name: "G729", Clock: 8000}})
	tap.SendTo(addr(srs), netip.AddrPort{}, map[uint8]uint8{18: 18})
	to, _ := relay.Local(forker.SideA, 0)

	var stream []byte
	noise := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		if i == 50 {
			tap.Mask(forker.PauseSilence)
		}
		b := make([]byte, 12, 32)
		b[0], b[1] = 0x80, 18
		binary.BigEndian.PutUint16(b[2:], uint16(i))
		binary.BigEndian.PutUint32(b[4:], uint32(i*160))
		for range 20 { // frames of anything are loud
			b = append(b, byte(noise.Uint32()))
		}
		if _, err := caller.WriteToUDPAddrPort(b, to); err != nil {
			t.Fatal(err)
		}
		copied := make([]byte, 100)
		_ = srs.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, _, err := srs.ReadFromUDPAddrPort(copied)
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, copied[12:n]...)
	}
	file := filepath.Join(t.TempDir(), "masked.g729")
	if err := os.WriteFile(file, stream, 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := exec.Command("ffmpeg", "-v", "error", "-f", "g729", "-i", file, "-f", "s16le", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	loudest := func(from, to int) (top int) {
		for i := from; i < to; i++ {
			v := int(int16(binary.LittleEndian.Uint16(raw[2*i:])))
			top = max(top, v, -v)
		}
		return top
	}
	samples := len(raw) / 2
	if samples != 16000 {
		t.Fatalf("%d samples", samples)
	}
	if before, masked := loudest(0, 8000), loudest(8000+800, samples); before < 2000 || masked > 40 {
		t.Errorf("at most %d before the mask, %d of 32768 under it", before, masked)
	}
}
